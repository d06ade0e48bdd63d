/**
 * Finds the fastest of a few plans for each product, by timing them in slices of some milliseconds.
 * Every candidate must first give what the plainest kernel gives. What it finds counts for programs
 * that are compiled later (`choices.ts`). Loaded when it is needed.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  deviceClass,
  fillInPlace,
  type Outputs,
  type Program,
  readback,
  Store,
  submit,
  timePrograms,
} from '../../backend/index.ts';
import {
  type Choice,
  type Choices,
  componentStores,
  defaultOf,
  keyOf,
  type Wanted,
} from './choices.ts';
import { fillWithNoise, largestDifference } from './compare.ts';
import { productKernel } from './kernel.ts';
import {
  ALL_TILES,
  COLUMN_SUMS,
  type DeviceClass,
  type Plan,
  pickTile,
  planOf,
  TESTED_TILES,
  TILES,
} from './tile.ts';

/**
 * float32 sums of up to some ten thousand products, in other orders; relative to the largest value.
 */
const TOLERANCE = 1e-4;
/**
 * A candidate replaces the default where it takes this share of its time at most: less is noise.
 */
const WORTH = 0.97;
/** Milliseconds of one measurement of one candidate. */
const SLICE = 3;
const ROUNDS = 3;
/** Bytes that a product's tensors may take here, beside what a run holds. */
const ROOM: Record<DeviceClass, number> = { large: 2 ** 30, small: 2 ** 27 };

/**
 * Names of tiles that are tried by class of device. Those by components are left out where a device
 * has not passed the test of them, and `ahead`, which is for halves.
 */
const TRIED: Record<DeviceClass, readonly string[]> = {
  large: [
    ...Object.values(TESTED_TILES)
      .filter((t) => t !== TESTED_TILES.ahead)
      .map((t) => t.name),
    'wide',
    'flat',
    'square',
  ],
  small: [
    'square',
    'square of 8x4',
    'half',
    'small',
    'small written out',
    'square of 8',
    'small of 8',
  ],
};

export interface TuneOptions {
  /** Asked between slices: true ends the tuning, and what it has found so far stands. */
  stopped(): boolean;
  /** Milliseconds of GPU time and waiting, all in all. */
  budget_ms: number;
}

/** The plans that are tried for a product, the default first. */
export function candidatesOf(w: Wanted, device: DeviceClass, component_stores: boolean): Plan[] {
  const { M, N, K } = w;
  const first = defaultOf(w, device, component_stores);
  // A tile of which three quarters lie outside is no candidate.
  const tiles = TRIED[device]
    .flatMap((name) => ALL_TILES.filter((t) => t.name === name))
    .filter((t) => (component_stores || t.staging === 'blocks') && t.BM < 4 * M && t.BN < 4 * N);
  const byTile = tiles.map((t) => pickTile(device, M, N, K, t));
  const splits = [first.splits * 2, Math.floor(first.splits / 2)]
    .filter((s) => s >= 1 && s !== first.splits && K / s >= 64 && s * M * N <= 2 ** 24)
    .map((s) => planOf(first.tile, M, N, K, s));
  return distinct([first, ...byTile, ...splits]);
}

const distinct = (plans: readonly Plan[]): Plan[] => [
  ...new Map(plans.map((p) => [JSON.stringify([p.tile.name, p.splits, p.columns]), p])).values(),
];

/**
 * What is in `known`, and the choices found now. Largest products first; products whose choice is
 * known are passed over.
 */
export async function tuneProducts(
  wanted: readonly Wanted[],
  known: Choices,
  o: TuneOptions,
): Promise<Choices> {
  const found: Record<string, Choice> = { ...known };
  const end = performance.now() + o.budget_ms;
  const device = deviceClass();
  const over = (): boolean => o.stopped() || performance.now() > end;
  for (const w of [...wanted].sort((x, y) => y.M * y.N * y.K - x.M * x.N * x.K)) {
    if (over()) break;
    if (found[keyOf(w)] || 4 * (w.M * w.K + w.N * w.K + 3 * w.M * w.N) > ROOM[device]) continue;
    const best = await tuneOne(w, device, over);
    if (best)
      found[keyOf(w)] = { tile: best.tile.name, splits: best.splits, columns: best.columns };
  }
  return found;
}

/** Null where it was stopped before the end. */
async function tuneOne(w: Wanted, device: DeviceClass, over: () => boolean): Promise<Plan | null> {
  const bench = new ProductBench(w);
  try {
    const best = await bench.fastest(candidatesOf(w, device, componentStores()), over);
    // The ways of summing columns are tried with the winning tile.
    if (!best || !w.columns) return best;
    return await bench.fastest(
      distinct([
        best,
        ...COLUMN_SUMS.map((columns) => planOf(best.tile, w.M, w.N, w.K, best.splits, columns)),
      ]),
      over,
    );
  } finally {
    bench.dispose();
  }
}

/** A product with operands of its own. */
class ProductBench {
  private readonly stores = new Map<string, Store>();
  private prepared = false;

  constructor(private readonly w: Wanted) {
    const { M, N, K } = w;
    const shapes = {
      a: w.transpose_a ? [K, M] : [M, K],
      b: w.transpose_b ? [N, K] : [K, N],
      c: [M, N],
      c_wanted: [M, N],
      sums: [N],
      sums_wanted: [N],
      largest: [2],
    };
    for (const [name, shape] of Object.entries(shapes))
      this.stores.set(name, new Store(name, [{ name, shape }]));
  }

  dispose(): void {
    for (const s of this.stores.values()) s.dispose();
  }

  private get(name: string): Tensor {
    const s = this.stores.get(name);
    if (!s) throw new Error(`The tuner has no ${name}.`);
    return s.get(name);
  }

  private make(plan: Plan, suffix = ''): void {
    const { transpose_a, transpose_b, columns } = this.w;
    productKernel(this.get('a'), this.get('b'), {
      transpose_a,
      transpose_b,
      plan: () => plan,
      to: this.get(`c${suffix}`),
      ...(columns ? { columns: { to: this.get(`sums${suffix}`), add: false } } : {}),
    });
  }

  private compile(name: string, body: () => void): Promise<Program> {
    return compileProgram(name, (): Outputs => {
      body();
      return {};
    });
  }

  private async prepare(): Promise<void> {
    if (this.prepared) return;
    this.prepared = true;
    const { M, N, K } = this.w;
    const plain = planOf(TILES.small, M, N, K, 1, 'separate');
    const program = await this.compile('tuner: wanted', () => {
      fillWithNoise(this.get('a'), 1);
      fillWithNoise(this.get('b'), 2);
      this.make(plain, '_wanted');
    });
    submit([program]);
    program.dispose();
  }

  /**
   * The fastest of those that compile and are right, the first unless another is worth it; null
   * where it was stopped.
   */
  async fastest(plans: readonly Plan[], over: () => boolean): Promise<Plan | null> {
    await this.prepare();
    const programs: { plan: Plan; program: Program; repeats: number; times: number[] }[] = [];
    try {
      for (const plan of plans) {
        if (over()) return null;
        const program = await this.compile(`tuner: ${plan.tile.name} split ${plan.splits}`, () =>
          this.make(plan),
        ).catch(() => null);
        if (program && (await this.isRight(plan)))
          programs.push({ plan, program, repeats: 1, times: [] });
        else program?.dispose();
      }
      for (let round = -1; round < ROUNDS; round++)
        for (const p of programs) {
          if (over()) return null;
          const [ms] = await timePrograms([p]);
          if (ms === undefined || !Number.isFinite(ms)) continue;
          // The first round warms up and says how often a product runs in a slice.
          if (round < 0) p.repeats = Math.max(1, Math.min(200, Math.round(SLICE / ms)));
          else p.times.push(ms);
        }
      const times = programs.map((p) => median(p.times));
      const standard = times[0];
      const best = times.indexOf(Math.min(...times));
      if (standard === undefined || !Number.isFinite(standard)) return null;
      return programs[(times[best] ?? Infinity) < WORTH * standard ? best : 0]?.plan ?? null;
    } finally {
      for (const p of programs) p.program.dispose();
    }
  }

  private async isRight(plan: Plan): Promise<boolean> {
    const check = await this.compile('tuner: check', () => {
      fillInPlace(this.get('c'), NaN);
      fillInPlace(this.get('largest'), 0);
      this.make(plan);
      largestDifference(this.get('largest'), this.get('c'), this.get('c_wanted'));
      if (this.w.columns)
        largestDifference(this.get('largest'), this.get('sums'), this.get('sums_wanted'));
    });
    submit([check]);
    const [pair] = await readback([this.get('largest')]);
    check.dispose();
    return (pair?.[0] ?? NaN) <= TOLERANCE * (pair?.[1] ?? NaN);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[sorted.length >> 1] ?? NaN;
}
