/**
 * Chooses the cores of ranks by measuring: none of them may slow another one down, and none may be
 * slowed down by what else the host runs. A virtual machine need not tell which of its processors are
 * two threads of one core.
 */

/** Milliseconds that the same work takes on each of these cores, all at once. */
export type TimeTogether = (cores: readonly number[]) => Promise<number[]>;

export interface CoreChoice {
  /** As many as were asked for. */
  cores: number[];
  /** Milliseconds of the work on the fastest core alone. */
  best_ms: number;
  /** The worst time of every core alone, as a factor of the fastest. */
  alone: Record<number, number>;
  /** Factors of the chosen cores while all of them work. */
  together: number[];
  /** The processors that slow the first chosen one down, and by which factor. */
  disturbing: Record<number, number>;
}

/** Cores that stay below do not disturb each other. The clock falls a little when more of them work. */
const TOLERATED = 1.12;

/** Rounds in which every core works alone: a neighbour may be busy now and then. */
const ROUNDS = 3;

/** `count` of `processors`, or all of them if there are fewer. */
export async function chooseCores(
  processors: readonly number[],
  count: number,
  time: TimeTogether,
): Promise<CoreChoice> {
  const { alone, best_ms } = await timesAlone(processors, time);
  const factors = async (cores: readonly number[]): Promise<number[]> => {
    const first = await time(cores);
    const second = await time(cores);
    return first.map((ms, i) => Math.max(ms, second[i] ?? ms) / best_ms);
  };
  const chosen: number[] = [];
  const refused: { core: number; factor: number }[] = [];
  for (const core of quietFirst(processors, alone)) {
    if (chosen.length === count) break;
    const factor = Math.max(...(await factors([...chosen, core])));
    if (factor <= TOLERATED) chosen.push(core);
    else refused.push({ core, factor });
  }
  refused.sort((a, b) => a.factor - b.factor);
  const cores = [...chosen, ...refused.map(({ core }) => core)].slice(0, count);
  const disturbing: Record<number, number> = {};
  const [first = NaN] = cores;
  for (const other of processors) {
    if (other === first) continue;
    const [factor = NaN] = await factors([first, other]);
    if (factor > TOLERATED) disturbing[other] = factor;
  }
  return { cores, best_ms, alone, together: await factors(cores), disturbing };
}

async function timesAlone(processors: readonly number[], time: TimeTogether) {
  let best_ms = Infinity;
  const worst = new Map<number, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const core of processors) {
      const [ms = NaN] = await time([core]);
      best_ms = Math.min(best_ms, ms);
      worst.set(core, Math.max(ms, worst.get(core) ?? 0));
    }
  }
  const alone = Object.fromEntries(Array.from(worst, ([core, ms]) => [core, ms / best_ms]));
  return { alone, best_ms };
}

/** Those that are never slow, far from each other; then the others, the faster ones first. */
function quietFirst(
  processors: readonly number[],
  alone: Readonly<Record<number, number>>,
): number[] {
  const factorOf = (core: number): number => alone[core] ?? Infinity;
  const quiet = processors.filter((core) => factorOf(core) <= TOLERATED);
  const others = processors.filter((core) => factorOf(core) > TOLERATED);
  return [...spread(quiet), ...others.sort((a, b) => factorOf(a) - factorOf(b))];
}

/** The first one, the one in the middle, those in the middle of the halves, and so on. */
function spread(processors: readonly number[]): number[] {
  const { length } = processors;
  const order = new Set<number>();
  for (let step = length; step >= 1; step = Math.floor(step / 2)) {
    for (let i = 0; i < length; i += step) order.add(i);
  }
  return [...order].flatMap((i) => processors[i] ?? []);
}
