/**
 * Searches the fastest kernel for every matmul of a configuration. Each candidate is checked on the
 * GPU against the simplest kernel. Then all are timed in turns on a warm card, once every pipeline
 * is compiled, because compilation disturbs the times.
 */
import { readback, Store, submit, timePrograms, type Timed } from '../src/backend/index.ts';
import { isSubgroupTile } from '../src/ops/matmul/tile.ts';
import { startDevice } from './device.ts';
import { type MatmulSet, matmulsOf } from './matmuls.ts';
import { type Contender, prepareCase, type SearchCase } from './search_case.ts';
import { median } from './statistics.ts';
import { repeatsOfSlice } from './time_slices.ts';

export interface SearchRow {
  mode: 'search';
  config: MatmulSet;
  matmul: string;
  candidate: string;
  splits: number;
  /** One matmul with its epilogue; null if it does not compile or its result is wrong (`why`). */
  us: number | null;
  tflops: number | null;
  /**
   * Largest difference from the simplest kernel over the largest value, of all results; null for
   * tfjs's kernel, which has no epilogue.
   */
  difference: number | null;
  why: string | null;
  adapter: string;
}

export interface SearchOptions {
  config: MatmulSet;
  /** Selects matmuls with this in their title; null selects all. */
  only: string | null;
  /** Selects candidates with this in their name; null selects all. */
  tile: string | null;
  /** Time limit for compilation and measurement together. */
  seconds: number;
}

/** float32 sums of up to 10,000 products in another order; float16 operands. */
const TOLERANCE = { float32: 1e-4, float16: 2e-2 };
const ROUNDS = 4;
/** After the first round, candidates that take longer than the best by this factor are dropped. */
const HOPELESS = 1.5;

/** Throws if the device reports an error. */
export async function searchMatmuls(
  options: SearchOptions,
  log: (line: string) => void,
): Promise<SearchRow[]> {
  const { device, check: checkDevice } = await startDevice({ backend: 'webgpu' });
  const end = performance.now() + 1000 * options.seconds;
  const largest = new Store('largest', [{ name: 'largest', shape: [2] }]);
  const cases = await prepareAll(options, device.features, largest);
  const count = cases.reduce((sum, { contenders }) => sum + contenders.length, 0);
  const left = ((end - performance.now()) / 1000).toFixed(0);
  log(`${options.config}: ${count} programs for ${cases.length} matmuls compiled, ${left} s left`);
  await measureAll(cases, largest, end);
  const rows: SearchRow[] = [];
  for (const one of cases) {
    const added = one.contenders.map((contender) =>
      rowOf(contender, one, options.config, device.adapter),
    );
    rows.push(...added);
    log(`${one.matmul.title}: ${bestOf(added)}`);
    one.dispose();
  }
  largest.dispose();
  checkDevice();
  return rows;
}

function prepareAll(
  { config, only, tile }: SearchOptions,
  features: readonly string[],
  largest: Store,
): Promise<SearchCase[]> {
  const subgroups = features.includes('chromium-experimental-subgroup-matrix');
  const matmuls = matmulsOf(config).filter(({ title }) => only === null || title.includes(only));
  return Promise.all(matmuls.map((matmul) => prepareCase(matmul, { tile, subgroups, largest })));
}

/**
 * Checks and times all cases, then times them again: at first the card is cold, and the driver is
 * still optimizing the pipelines.
 */
async function measureAll(cases: readonly SearchCase[], largest: Store, end: number) {
  const inTime = (): boolean => performance.now() < end;
  for (const { contenders } of cases) {
    if (!inTime()) return;
    await checkResults(contenders, largest);
    await timeContenders(contenders, end);
  }
  for (const { contenders } of cases) {
    if (!inTime()) return;
    await timeContenders(contenders, end);
  }
}

/** Drops the programs whose results differ too much from the simplest kernel's. */
async function checkResults(contenders: readonly Contender[], largest: Store): Promise<void> {
  for (const contender of contenders) {
    const { check, candidate } = contender;
    if (!check || !candidate) continue;
    submit([check]);
    const [pair] = await readback([largest.get('largest')]);
    const difference = (pair?.[0] ?? NaN) / (pair?.[1] ?? NaN);
    contender.difference = difference;
    const tolerance = TOLERANCE[isSubgroupTile(candidate.plan.tile) ? 'float16' : 'float32'];
    if (difference <= tolerance) continue;
    contender.why = `wrong by ${difference.toPrecision(2)} of the largest value`;
    contender.program?.dispose();
    contender.program = null;
  }
}

interface Run {
  contender: Contender;
  timed: Timed;
  times: number[];
}

/** Times the contenders in rounds. A warm-up round shows how many runs fill a slice. */
async function timeContenders(contenders: readonly Contender[], end: number): Promise<void> {
  const runs = contenders.flatMap((contender): Run[] => {
    const { program } = contender;
    return program ? [{ contender, timed: { program, repeats: 1 }, times: [] }] : [];
  });
  const warmUp = await timePrograms(runs.map(({ timed }) => timed));
  runs.forEach(({ timed }, i) => {
    timed.repeats = repeatsOfSlice(warmUp[i]);
  });
  let running = runs;
  for (let round = 0; round < ROUNDS && performance.now() < end; round++) {
    const times = await timePrograms(running.map(({ timed }) => timed));
    running.forEach((run, i) => {
      const ms = times[i] ?? NaN;
      if (Number.isFinite(ms)) run.times.push(ms);
    });
    const firstTime = ({ times: [first = Infinity] }: Run): number => first;
    const best = Math.min(...running.map(firstTime));
    running = running.filter((run) => firstTime(run) <= HOPELESS * best);
  }
  for (const { contender, times } of runs) {
    if (times.length === 0) continue;
    contender.ms = Math.min(contender.ms ?? Infinity, median(times));
  }
}

function rowOf(
  { candidate, ms, difference, why }: Contender,
  { matmul }: SearchCase,
  config: MatmulSet,
  adapter: string,
): SearchRow {
  const us = ms === null ? null : 1000 * ms;
  return {
    mode: 'search',
    config,
    matmul: matmul.title,
    candidate: candidate?.name ?? 'tfjs, without the epilogue',
    splits: candidate?.plan.splits ?? 1,
    us,
    tflops: us ? (2 * matmul.M * matmul.N * matmul.K) / us / 1e6 : null,
    difference,
    why: why ?? (us === null ? 'Skipped: out of time.' : null),
    adapter,
  };
}

function bestOf(rows: readonly SearchRow[]): string {
  const [best] = rows.filter(({ us }) => us !== null).sort((x, y) => (x.us ?? 0) - (y.us ?? 0));
  if (!best) return rows[0]?.why ?? 'no candidates';
  return `${best.us?.toFixed(1)} us, ${best.tflops?.toFixed(1)} TFLOP/s, ${best.candidate}`;
}
