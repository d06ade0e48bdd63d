/**
 * The bench page: runs the jobs that its address names, one after another, each in a worker of its
 * own, and gives the rows as the promise `window.result`; `window.keepRows`, where the driver has
 * put it there, gets all rows so far as they come. With `post=1` the page also posts lines to /log,
 * the rows so far to /partial and all to /result.
 *
 *     bench.html?config=T,S,M&backend=webgpu,wasm&mode=replay&steps=200&seconds=60&seed=1&profile=1&peak=4096&checkpointing=1&precision=no,fp16
 *     bench.html?ladder=1&config=T,S,M&backend=webgpu,webgl,wasm&plain_steps=5
 *     bench.html?reference=1&config=T,S,M&steps=100&seconds=120&seed=1&again=1
 *     bench.html?generate=1&config=S&batch=1,64&tokens=1024&temperature=1&top_k=0&top_p=1&profile=1
 *     bench.html?encode=1&vocab_size=10000&repeats=5
 *     bench.html?ops=1&config=S,M&only=attention,adam_update
 *     bench.html?products=1&config=M,presets
 *     bench.html?search=1&config=M,S,T,squares&seconds=40&only=fc&tile=96x128
 */
import { BACKENDS, type BackendName, MIXED_PRECISION } from '../src/config/index.ts';
import { type ConfigName, type Mode, MODES } from './configs.ts';
import type { AnyRow, Job, Reply } from './bench_worker.ts';
import type { ProductsName } from './against_tfjs.ts';
import type { SearchName } from './products.ts';

/** A job that did not end well stands among the rows with the reason. */
type Failed = {
  config: ProductsName | '';
  backend: BackendName;
  mode: Mode | 'generate' | 'encode' | 'losses' | 'ops' | 'products' | 'search' | 'attention';
  error: string;
};
type Row = AnyRow | Failed;
declare global {
  interface Window {
    result: Promise<Row[]>;
    keepRows?: (rows: Row[]) => Promise<void>;
  }
}

const query = new URLSearchParams(location.search);
const posts = query.get('post') === '1';
const output = document.createElement('pre');
document.body.append(output);

function say(line: string): void {
  output.textContent += `${line}\n`;
  console.log(line);
  if (posts) void fetch('/log', { method: 'POST', body: line });
}

/** The values of a list in the address; refuses what is not among `allowed`. */
function list<T extends string>(key: string, allowed: readonly T[], fallback: readonly T[]): T[] {
  const text = query.get(key);
  if (text === null) return [...fallback];
  return text.split(',').map((word) => {
    const known = allowed.find((a) => a === word);
    if (known === undefined) throw new Error(`${key} takes ${allowed.join(', ')}, not ${word}.`);
    return known;
  });
}

function number(key: string, fallback: number): number {
  const value = Number(query.get(key) ?? fallback);
  if (!Number.isFinite(value) || value < 0)
    throw new Error(`${key} takes a number, not ${query.get(key) ?? ''}.`);
  return value;
}

const configs: ConfigName[] = ['T', 'S', 'M', 'V', 'tiny'];
const backends = BACKENDS.filter((b): b is BackendName => b !== 'auto');

function jobs(): Job[] {
  if (query.get('search') === '1')
    return list<SearchName>('config', [...configs, 'squares'], ['M', 'S', 'T', 'squares']).map(
      (config) => ({
        kind: 'search',
        config,
        only: query.get('only'),
        tile: query.get('tile'),
        seconds: number('seconds', 40),
      }),
    );
  if (query.get('products') === '1')
    return list<ProductsName>(
      'config',
      [...configs, 'squares', 'presets'],
      ['M', 'S', 'T', 'presets'],
    ).map((config) => ({ kind: 'products', config }));
  if (query.get('encode') === '1')
    return [
      { kind: 'encode', vocab_size: number('vocab_size', 10000), repeats: number('repeats', 5) },
    ];
  const chosen = list(
    'config',
    configs,
    query.get('ops') === '1' ? ['S', 'M'] : query.get('generate') === '1' ? ['S'] : ['T', 'S', 'M'],
  );
  if (query.get('reference') === '1')
    return chosen.map((config) => ({
      kind: 'losses',
      config,
      steps: number('steps', 100),
      seconds: number('seconds', 120),
      seed: number('seed', 1),
      again: query.get('again') !== '0',
    }));
  if (query.get('attention') === '1')
    return chosen.map((config) => ({ kind: 'attention', config }));
  if (query.get('ops') === '1')
    return chosen.map((config) => ({ kind: 'ops', config, only: query.get('only') }));
  if (query.get('generate') === '1') {
    const asked = {
      tokens: number('tokens', 1024),
      seed: number('seed', 1),
      temperature: number('temperature', 1),
      top_k: number('top_k', 0),
      top_p: number('top_p', 1),
      profile: query.get('profile') === '1',
    };
    const batches = (query.get('batch') ?? '1,64').split(',').map(Number);
    return chosen.flatMap((config) =>
      list('backend', backends, ['webgpu']).flatMap((backend) =>
        batches.map((batch): Job => ({ kind: 'generate', config, backend, batch, ...asked })),
      ),
    );
  }
  const ladder = query.get('ladder') === '1';
  const steps = number('steps', 200);
  const plain = ladder ? number('plain_steps', 5) : steps;
  const shared = {
    seconds: number('seconds', 60),
    seed: number('seed', 1),
    profile: query.get('profile') === '1',
    peak: number('peak', ladder ? 0 : 4096),
    tune: number('tune', 0),
    checkpointing: query.get('checkpointing') === '1',
  };
  const modes = list('mode', MODES, ladder ? MODES : ['replay']);
  const precisions = list('precision', MIXED_PRECISION, ['no']);
  return chosen.flatMap((config) =>
    list('backend', backends, ladder ? ['webgpu', 'webgl', 'wasm'] : backends).flatMap((backend) =>
      // Elsewhere there is but one way to run.
      (backend === 'webgpu' ? modes : modes.slice(0, 1)).flatMap((mode) =>
        (backend === 'webgpu' ? precisions : precisions.slice(0, 1)).map((precision): Job => ({
          kind: 'step',
          config,
          backend,
          mode,
          precision,
          steps: backend === 'webgpu' && mode !== 'reference' ? steps : plain,
          ...shared,
        })),
      ),
    ),
  );
}

/**
 * `keep` is given the rows of a long job as they come: they stand even where it does not come to
 * its end.
 */
function runJob(job: Job, keep: (rows: Row[]) => void): Promise<Row[]> {
  const worker = new Worker(new URL('./bench_worker.ts', import.meta.url), { type: 'module' });
  let partial: Row[] = [];
  const failed = (error: string): Row[] => [
    ...partial,
    {
      config: 'config' in job ? job.config : '',
      backend: 'backend' in job ? job.backend : 'webgpu',
      mode: job.kind === 'step' ? job.mode : job.kind,
      error,
    },
  ];
  return new Promise<Row[]>((resolve) => {
    worker.addEventListener('message', ({ data }: MessageEvent<Reply>) => {
      switch (data.kind) {
        case 'log':
          say(data.line);
          break;
        case 'partial':
          partial = data.rows;
          keep(partial);
          break;
        case 'rows':
          resolve(data.rows);
          break;
        case 'error':
          say(data.message);
          resolve(failed(data.message));
          break;
        default:
          data satisfies never;
      }
    });
    worker.addEventListener('error', (event) =>
      resolve(failed(event.message || 'The worker did not start.')),
    );
    worker.postMessage(job);
  }).finally(() => worker.terminate());
}

/** For whoever waits: a page that is ended before its time has not lost them. */
function tell(rows: Row[]): void {
  void window.keepRows?.(rows);
  if (posts) void fetch('/partial', { method: 'POST', body: JSON.stringify(rows) });
}

async function runAll(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const job of jobs()) {
    rows.push(...(await runJob(job, (partial) => tell([...rows, ...partial]))));
    tell(rows);
  }
  say(JSON.stringify(rows));
  if (posts) await fetch('/result', { method: 'POST', body: JSON.stringify(rows) });
  return rows;
}

window.result = runAll();
window.result.catch((error: unknown) => say(String(error)));
