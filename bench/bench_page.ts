/**
 * The bench page. It runs the jobs that its address names one after another, each in a worker of
 * its own. The promise `window.result` gives all rows. If the driver has defined `window.keepRows`,
 * it receives the rows so far. With `post=1`, the page also posts lines to /log, the rows so far to
 * /partial and all rows to /result.
 *
 *     bench.html?config=T,S,M&backend=webgpu,wasm&mode=replay&steps=200&seconds=60&seed=1&profile=1
 *         &peak=4096&recompute=none,selective&precision=no,fp16
 *     bench.html?ladder=1&config=T,S,M&backend=webgpu,webgl,wasm&plain_steps=5
 *     bench.html?reference=1&config=T,S,M&steps=100&seconds=120&seed=1&again=1
 *     bench.html?generate=1&config=S&batch=1,64&tokens=1024&temperature=1&top_k=0&top_p=1&profile=1
 *     bench.html?encode=1&vocab_size=10000&repeats=5
 *     bench.html?ops=1&config=S,M&only=attention,adam_update
 *     bench.html?attention=1&config=M
 *     bench.html?matmuls=1&config=M,presets
 *     bench.html?search=1&config=M,S,T,squares&seconds=40&only=fc&tile=96x128
 */
import type { BackendName } from '../src/config/index.ts';
import type { AnyRow, Job, Reply } from './bench_worker.ts';
import type { Mode } from './configs.ts';
import { jobsOf } from './jobs.ts';
import type { MeasuredSet } from './matmuls_vs_tfjs.ts';

/** A job that failed, with the reason. */
type Failed = {
  config: MeasuredSet | '';
  backend: BackendName;
  mode: Mode | Exclude<Job['kind'], 'step'>;
  error: string;
};
type Row = AnyRow | Failed;
declare global {
  interface Window {
    result: Promise<Row[]>;
    keepRows?: (rows: Row[]) => Promise<void>;
  }
}

const posts = new URLSearchParams(location.search).get('post') === '1';
const output = document.createElement('pre');
document.body.append(output);

function say(line: string): void {
  output.textContent += `${line}\n`;
  console.log(line);
  if (posts) void fetch('/log', { method: 'POST', body: line });
}

/** `keep` receives the rows of a job so far, which are kept even if the job fails. */
function runJob(job: Job, keep: (rows: Row[]) => void): Promise<Row[]> {
  const worker = new Worker(new URL('./bench_worker.ts', import.meta.url), { type: 'module' });
  let partial: Row[] = [];
  const withFailure = (error: string): Row[] => [...partial, failure(job, error)];
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
          resolve(withFailure(data.message));
          break;
        default:
          data satisfies never;
      }
    });
    worker.addEventListener('error', (event) =>
      resolve(withFailure(event.message || 'The worker did not start.')),
    );
    worker.postMessage(job);
  }).finally(() => worker.terminate());
}

function failure(job: Job, error: string): Failed {
  return {
    config: 'config' in job ? job.config : '',
    backend: 'backend' in job ? job.backend : 'webgpu',
    mode: job.kind === 'step' ? job.mode : job.kind,
    error,
  };
}

/** Hands over the rows so far: they are kept if the page is closed before it finishes. */
function keepRows(rows: Row[]): void {
  void window.keepRows?.(rows);
  if (posts) void fetch('/partial', { method: 'POST', body: JSON.stringify(rows) });
}

async function runAll(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const job of jobsOf(location.search)) {
    rows.push(...(await runJob(job, (partial) => keepRows([...rows, ...partial]))));
    keepRows(rows);
  }
  say(JSON.stringify(rows));
  if (posts) await fetch('/result', { method: 'POST', body: JSON.stringify(rows) });
  return rows;
}

window.result = runAll();
window.result.catch((error: unknown) => say(String(error)));
