/** Sizes that the operations of low-rank updates are checked and timed with. */
import type {
  BenchInput,
  BenchInputs,
  BenchSizes,
  CaseRandom,
  Hosts,
  OpBench,
  OpCase,
} from '../define.ts';
import { type LowRankAttrs, outputsOf } from './attrs.ts';

/** Of a case: y [N, out], h [N, columns], b [r, out]. */
interface CaseSize {
  N: number;
  r: number;
  out: number;
  columns: number;
}

interface NamedCase {
  name: string;
  N: number;
  r: number;
  attrs: LowRankAttrs;
}

const CASES: readonly NamedCase[] = [
  { name: 'one part, odd sizes', N: 5, r: 3, attrs: { scale: 2, parts: [7] } },
  { name: 'three parts in rows of four', N: 9, r: 2, attrs: { scale: 0.5, parts: [12, 4, 8] } },
  { name: 'two parts of rank 9', N: 37, r: 9, attrs: { scale: 1, parts: [20, 68] } },
  { name: 'parts of odd widths, rank 4', N: 6, r: 4, attrs: { scale: -1, parts: [18, 17] } },
];

/** The cases of an operation with these inputs. */
export const lowRankCases = <I extends string>(
  inputs: (random: CaseRandom, size: CaseSize) => Hosts<I>,
): OpCase<I, LowRankAttrs>[] =>
  CASES.map(({ name, N, r, attrs }) => {
    const size = { N, r, out: outputsOf(attrs), columns: r * attrs.parts.length };
    return { name, attrs, inputs: (random) => inputs(random, size) };
  });

const BENCH_RANK = 8;

/** Entries of the micro-benchmark: q, k and v of a model, rank 8. */
export const lowRankBenches =
  <I extends string>(inputs: (inputs: BenchInputs, size: CaseSize) => Record<I, BenchInput>) =>
  ({ N, D }: BenchSizes, random: BenchInputs): OpBench<I, LowRankAttrs>[] => {
    const attrs = { scale: 2, parts: [D, D, D] };
    return [{ attrs, inputs: inputs(random, { N, r: BENCH_RANK, out: 3 * D, columns: 24 }) }];
  };
