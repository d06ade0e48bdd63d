/**
 * Every candidate kernel for every matrix product of a configuration: each is checked against our
 * plainest kernel, on the GPU, then all are timed in turns on a warm card, once every pipeline is
 * compiled (readings fall while pipelines compile).
 */
import { matMul, type Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  fillInPlace,
  type Outputs,
  type Program,
  readback,
  Store,
  submit,
  timePrograms,
} from '../src/backend/index.ts';
import { gelu } from '../src/ops/activation/functions.ts';
import { largestDifference } from '../src/ops/matmul/compare.ts';
import { type MatmulOptions, matmulKernel } from '../src/ops/matmul/kernel.ts';
import { planOf } from '../src/ops/matmul/plan.ts';
import { isSubgroupTile } from '../src/ops/matmul/tile.ts';
import { TILES } from '../src/ops/matmul/tiles.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { startDevice } from './device.ts';
import { normal } from './ops_list.ts';
import { type Product, productsOf, type SearchName } from './products.ts';
import { median } from './statistics.ts';

export interface SearchRow {
  search: SearchName;
  product: string;
  candidate: string;
  splits: number;
  /**
   * Of one product with all that is done to it; null where it does not compile or its result is
   * wrong (`why`).
   */
  us: number | null;
  tflops: number | null;
  /**
   * Largest difference from the plainest kernel over the largest value, of all its results; null
   * for tfjs's kernel, which makes the product alone.
   */
  error: number | null;
  why: string | null;
  adapter: string;
}
export interface SearchOptions {
  config: SearchName;
  only: string | null;
  tile: string | null;
  seconds: number;
}

/** f32 sums of up to 10,000 products in other orders; f16 operands. */
const TOLERANCE = { f32: 1e-4, f16: 2e-2 };
const ROUNDS = 4;
/** Milliseconds of GPU time of one candidate in one round. */
const SLICE = 2;
/** After the first round, what took longer than this times the best is measured no further. */
const HOPELESS = 1.5;

interface Case {
  product: Product;
  inputs: Record<string, Store>;
  results: string[];
  candidates: {
    candidate: Candidate | null;
    program: Program | null;
    check: Program | null;
    why: string | null;
    error: number | null;
    ms: number | null;
  }[];
}

const shapes = ({ form, M, N, K }: Product): Record<string, number[]> => ({
  a: form === 'tn' ? [K, M] : [M, K],
  b: form === 'nt' ? [N, K] : [K, N],
  c: [M, N],
  after: [M, N],
  bias: [N],
  residual: [M, N],
  before: [M, N],
  columns: [N],
  wanted_c: [M, N],
  wanted_after: [M, N],
  wanted_columns: [N],
});
const resultsOf = ({ finish }: Product): string[] => [
  'c',
  ...(finish.gelu ? ['after'] : []),
  ...(finish.columns ? ['columns'] : []),
];
const namesOf = (p: Product): string[] => [
  'a',
  'b',
  ...(p.finish.bias ? ['bias'] : []),
  ...(p.finish.residual ? ['residual'] : []),
  ...(p.finish.gelu_grad ? ['before'] : []),
  ...resultsOf(p).flatMap((r) => [r, `wanted_${r}`]),
];

export async function searchProducts(
  o: SearchOptions,
  log: (line: string) => void,
): Promise<SearchRow[]> {
  const {
    device: { adapter, features },
    check: checkDevice,
  } = await startDevice('webgpu');
  const end = performance.now() + 1000 * o.seconds;
  const largest = new Store('largest', [{ name: 'largest', shape: [2] }]);
  const rows: SearchRow[] = [];
  const products = productsOf(o.config).filter((p) => o.only === null || p.title.includes(o.only));
  const cases = await Promise.all(
    products.map((product) =>
      prepare(product, o, features.includes('chromium-experimental-subgroup-matrix'), largest),
    ),
  );
  log(
    `${o.config}: ${cases.reduce((n, c) => n + c.candidates.length, 0)} programs for ${cases.length} products compiled, ${((end - performance.now()) / 1000).toFixed(0)} s left`,
  );
  // Twice over all of them: on a cold card, and while the driver still makes better code of what it
  // compiled in haste, everything is slower.
  for (const one of cases)
    if (performance.now() < end) {
      await check(one, largest);
      await timeAll(one, end);
    }
  for (const one of cases) if (performance.now() < end) await timeAll(one, end);
  for (const one of cases) {
    const made = rowsOf(one, o.config, adapter);
    rows.push(...made);
    const best = made.filter((r) => r.us !== null).sort((x, y) => (x.us ?? 0) - (y.us ?? 0))[0];
    log(
      `${one.product.title}: ${best ? `${best.us?.toFixed(1)} us, ${best.tflops?.toFixed(1)} TFLOP/s, ${best.candidate}` : (made[0]?.why ?? 'nothing')}`,
    );
    for (const c of one.candidates) {
      c.program?.dispose();
      c.check?.dispose();
    }
    for (const s of Object.values(one.inputs)) s.dispose();
  }
  largest.dispose();
  checkDevice();
  return rows;
}

/** All programs of a product, compiled side by side. */
async function prepare(
  product: Product,
  o: SearchOptions,
  subgroups: boolean,
  largest: Store,
): Promise<Case> {
  const all = shapes(product);
  const inputs = Object.fromEntries(
    namesOf(product).map((name) => [name, new Store(name, [{ name, shape: all[name] ?? [] }])]),
  );
  const results = resultsOf(product);
  const get = (name: string): Tensor => {
    const s = inputs[name];
    if (!s) throw new Error(`This product has no ${name}.`);
    return s.get(name);
  };
  for (const name of ['a', 'b', 'bias', 'residual', 'before'])
    inputs[name]?.write(name, normal(get(name).size));
  const { form, finish } = product;
  const make = (plan: Candidate['plan'], prefix = ''): void => {
    const c = get(`${prefix}c`);
    const sums = (): { to: Tensor; add: boolean } => ({ to: get(`${prefix}columns`), add: true });
    const options: MatmulOptions = {
      transpose_a: form === 'tn',
      transpose_b: form === 'nt',
      plan: () => plan,
      ...(finish.into ? { into: c } : { to: c }),
      ...(finish.bias ? { bias: get('bias') } : {}),
      ...(finish.residual ? { residual: get('residual') } : {}),
      ...(finish.gelu ? { apply: { f: gelu, to: get(`${prefix}after`) } } : {}),
      ...(finish.gelu_grad ? { derivative: { f: gelu, before: get('before') } } : {}),
      ...(finish.columns ? { columns: sums() } : {}),
    };
    matmulKernel(get('a'), get('b'), options);
  };
  const zero = (prefix: string): void => {
    for (const r of results) fillInPlace(get(prefix + r), 0);
  };
  const plain = await compileProgram('wanted', (): Outputs => {
    zero('wanted_');
    make(planOf(TILES.small, product, 1, 'separate'), 'wanted_');
    return {};
  });
  submit([plain]);
  const checked = (plan: Candidate['plan']): Promise<Program> =>
    compileProgram('check', (): Outputs => {
      fillInPlace(largest.get('largest'), 0);
      zero('');
      make(plan);
      // One pair of numbers for all results: each is compared by itself only where it is alone, and
      // all are near one another in size.
      for (const r of results)
        largestDifference(largest.get('largest'), get(r), get(`wanted_${r}`));
      return {};
    });
  const candidates = await Promise.all(
    candidatesOf(product, subgroups)
      .filter((c) => o.tile === null || c.name.includes(o.tile))
      .map(async (candidate) => {
        try {
          const [program, check] = await Promise.all([
            compileProgram(candidate.name, (): Outputs => {
              make(candidate.plan);
              return {};
            }),
            checked(candidate.plan),
          ]);
          return { candidate, program, check, why: null, error: null, ms: null };
        } catch (error) {
          return {
            candidate,
            program: null,
            check: null,
            why: error instanceof Error ? error.message : String(error),
            error: null,
            ms: null,
          };
        }
      }),
  );
  const tfjs = await compileProgram('tfjs', () => ({
    c: matMul(get('a'), get('b'), form === 'tn', form === 'nt'),
  }));
  return {
    product,
    inputs,
    results,
    candidates: [
      ...candidates,
      { candidate: null, program: tfjs, check: null, why: null, error: null, ms: null },
    ],
  };
}

async function check(one: Case, largest: Store): Promise<void> {
  for (const c of one.candidates) {
    if (!c.check) continue;
    submit([c.check]);
    const [pair] = await readback([largest.get('largest')]);
    const error = (pair?.[0] ?? NaN) / (pair?.[1] ?? NaN);
    c.error = error;
    if (
      !(
        error <=
        (c.candidate && isSubgroupTile(c.candidate.plan.tile) ? TOLERANCE.f16 : TOLERANCE.f32)
      )
    ) {
      c.why = `wrong by ${error.toPrecision(2)} of the largest value`;
      c.program?.dispose();
      c.program = null;
    }
  }
}

/**
 * Rounds over all candidates, each for as long as a slice; the first round finds out how many
 * repeats that is.
 */
async function timeAll(one: Case, end: number): Promise<void> {
  let running = one.candidates.flatMap((c) =>
    c.program ? [{ c, times: new Array<number>(), timed: { program: c.program, repeats: 1 } }] : [],
  );
  const all = running;
  const warm = await timePrograms(running.map((r) => r.timed));
  running.forEach((r, i) => {
    r.timed.repeats = Math.max(1, Math.min(500, Math.round(SLICE / (warm[i] || SLICE))));
  });
  for (let round = 0; round < ROUNDS && performance.now() < end; round++) {
    const times = await timePrograms(running.map((r) => r.timed));
    running.forEach((r, i) => {
      const ms = times[i];
      if (ms !== undefined && Number.isFinite(ms)) r.times.push(ms);
    });
    const best = Math.min(...running.map((r) => r.times[0] ?? Infinity));
    running = running.filter((r) => (r.times[0] ?? Infinity) <= HOPELESS * best);
  }
  for (const { c, times } of all)
    if (times.length > 0) c.ms = Math.min(c.ms ?? Infinity, median(times));
}

function rowsOf({ product, candidates }: Case, search: SearchName, adapter: string): SearchRow[] {
  return candidates.map(({ candidate, ms, error, why }) => {
    const us = ms === null ? null : 1000 * ms;
    return {
      search,
      product: product.title,
      candidate: candidate?.name ?? 'tfjs, the product alone',
      splits: candidate?.plan.splits ?? 1,
      us,
      tflops: us ? (2 * product.M * product.N * product.K) / us / 1e6 : null,
      error,
      why: why ?? (us === null ? 'no time left' : null),
      adapter,
    };
  });
}
