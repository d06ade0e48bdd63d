/** The jobs that the address of the bench page names. */
import { BACKENDS, type BackendName, MIXED_PRECISION } from '../src/config/index.ts';
import { DTYPES } from '../src/config/stage/schema.ts';
import { RECOMPUTE_GRANULARITIES } from '../src/plan/parallel/training.ts';
import type { Job } from './bench_worker.ts';
import { CONFIG_NAMES, type ConfigName, type Mode, MODES, type Precision } from './configs.ts';
import type { MatmulSet } from './matmuls.ts';
import type { MeasuredSet } from './matmuls_vs_tfjs.ts';

const BACKEND_NAMES = BACKENDS.filter((name): name is BackendName => name !== 'auto');

/** Values of a query. All methods throw an Error that names the parameter if a value is invalid. */
class Query {
  readonly #parameters: URLSearchParams;

  constructor(search: string) {
    this.#parameters = new URLSearchParams(search);
  }

  flag(key: string): boolean {
    return this.#parameters.get(key) === '1';
  }

  text(key: string): string | null {
    return this.#parameters.get(key);
  }

  number(key: string, fallback: number): number {
    const text = this.text(key);
    const value = Number(text ?? fallback);
    if (!Number.isFinite(value) || value < 0)
      throw new Error(`${key} takes a number, not ${text}.`);
    return value;
  }

  /** A comma-separated list of allowed words. */
  list<T extends string>(key: string, allowed: readonly T[], fallback: readonly T[]): T[] {
    const text = this.text(key);
    if (text === null) return [...fallback];
    return text.split(',').map((word) => {
      const known = allowed.find((name) => name === word);
      if (known === undefined) throw new Error(`${key} takes ${allowed.join(', ')}, not ${word}.`);
      return known;
    });
  }

  configs(fallback: readonly ConfigName[]): ConfigName[] {
    return this.list('config', CONFIG_NAMES, fallback);
  }

  backends(fallback: readonly BackendName[]): BackendName[] {
    return this.list('backend', BACKEND_NAMES, fallback);
  }
}

/** Jobs of each kind that has a flag of its own in the address; training steps have none. */
const KINDS: Record<string, (query: Query) => Job[]> = {
  search: searchJobs,
  matmuls: matmulJobs,
  encode: (query) => [
    {
      kind: 'encode',
      vocab_size: query.number('vocab_size', 10000),
      repeats: query.number('repeats', 5),
    },
  ],
  reference: lossesJobs,
  attention: (query) =>
    query.configs(['T', 'S', 'M']).map((config) => ({ kind: 'attention', config })),
  ops: (query) =>
    query.configs(['S', 'M']).map((config) => ({ kind: 'ops', config, only: query.text('only') })),
  generate: generateJobs,
  grpo: grpoJobs,
};

/** Throws an Error of one sentence if the query is invalid. */
export function jobsOf(search: string): Job[] {
  const query = new Query(search);
  const kind = Object.keys(KINDS).find((name) => query.flag(name));
  const make = kind === undefined ? stepJobs : KINDS[kind];
  return make?.(query) ?? [];
}

function searchJobs(query: Query): Job[] {
  const sets: readonly MatmulSet[] = [...CONFIG_NAMES, 'squares'];
  return query.list('config', sets, ['M', 'S', 'T', 'squares']).map((config) => ({
    kind: 'search',
    config,
    only: query.text('only'),
    tile: query.text('tile'),
    seconds: query.number('seconds', 40),
  }));
}

function matmulJobs(query: Query): Job[] {
  const sets: readonly MeasuredSet[] = [...CONFIG_NAMES, 'squares', 'presets'];
  return query
    .list('config', sets, ['M', 'S', 'T', 'presets'])
    .map((config) => ({ kind: 'matmuls', config }));
}

function lossesJobs(query: Query): Job[] {
  return query.configs(['T', 'S', 'M']).map((config) => ({
    kind: 'losses',
    config,
    steps: query.number('steps', 100),
    seconds: query.number('seconds', 120),
    seed: query.number('seed', 1),
    again: query.text('again') !== '0',
  }));
}

function generateJobs(query: Query): Job[] {
  const shared = {
    tokens: query.number('tokens', 1024),
    seed: query.number('seed', 1),
    temperature: query.number('temperature', 1),
    top_k: query.number('top_k', 0),
    top_p: query.number('top_p', 1),
    profile: query.flag('profile'),
    threads: query.number('threads', 0),
  };
  const batches = (query.text('batch') ?? '1,64').split(',').map(Number);
  return query
    .configs(['S'])
    .flatMap((config) =>
      query
        .backends(['webgpu'])
        .flatMap((backend) =>
          batches.map((batch): Job => ({ kind: 'generate', config, backend, batch, ...shared })),
        ),
    );
}

/** The step of README's table by default. */
function grpoJobs(query: Query): Job[] {
  const shared = {
    prompts: query.number('prompts', 16),
    answers: query.number('answers', 8),
    prompt_tokens: query.number('prompt_tokens', 32),
    answer_tokens: query.number('answer_tokens', 32),
    steps: query.number('steps', 100),
    seed: query.number('seed', 1),
    threads: query.number('threads', 0),
  };
  const precisions = query.list('precision', MIXED_PRECISION, ['no']);
  const backends = query.backends(['webgpu']);
  return query.configs(['T']).flatMap((config) =>
    backends.flatMap((backend) =>
      precisions.map((precision): Job => ({
        kind: 'grpo',
        config,
        backend,
        precision,
        ...shared,
      })),
    ),
  );
}

interface Way {
  backend: BackendName;
  mode: Mode;
  precision: Precision;
}

/** Training steps. With `ladder=1`, in every mode on the backends that people have. */
function stepJobs(query: Query): Job[] {
  const ladder = query.flag('ladder');
  const steps = query.number('steps', 200);
  const plainSteps = ladder ? query.number('plain_steps', 5) : steps;
  const shared = {
    seconds: query.number('seconds', 60),
    seed: query.number('seed', 1),
    profile: query.flag('profile'),
    peak: query.number('peak', ladder ? 0 : 4096),
    tune: query.number('tune', 0),
    threads: query.number('threads', 0),
    lora: query.number('lora', 0),
  };
  const backends = query.backends(ladder ? ['webgpu', 'webgl', 'wasm'] : BACKEND_NAMES);
  const modes = query.list('mode', MODES, ladder ? MODES : ['replay']);
  const precisions = query.list('precision', MIXED_PRECISION, ['no']);
  const recomputes = query.list('recompute', RECOMPUTE_GRANULARITIES, ['none']);
  const ways = backends
    .flatMap((backend) => waysOf(backend, modes, precisions))
    .flatMap((way) => recomputes.map((recompute) => ({ ...way, recompute })));
  const dtypes = query.list('dtype', DTYPES, ['float32']);
  return query.configs(['T', 'S', 'M']).flatMap((config) =>
    ways.flatMap((way) => {
      const plain = !HAVE_KERNELS.includes(way.backend) || way.mode === 'reference';
      const job = { ...way, steps: plain ? plainSteps : steps, ...shared };
      return dtypes.map((dtype): Job => ({ kind: 'step', config, ...job, dtype }));
    }),
  );
}

/** Backends with kernels of ours. */
const HAVE_KERNELS: readonly BackendName[] = ['webgpu', 'wasm'];

/**
 * Only backends with kernels of ours have more than one mode, and only WebGPU more than one precision;
 * the others take the first.
 */
function waysOf(
  backend: BackendName,
  modes: readonly Mode[],
  precisions: readonly Precision[],
): Way[] {
  const all = modes.flatMap((mode) =>
    precisions.map((precision) => ({ backend, mode, precision })),
  );
  if (backend === 'webgpu') return all;
  const modesHere = HAVE_KERNELS.includes(backend) ? modes : modes.slice(0, 1);
  return all.filter(
    ({ mode, precision }) => modesHere.includes(mode) && precision === precisions[0],
  );
}
