/**
 * Generates the WGSL of C [M, N] = op(A) op(B) for one tile.
 *
 * The operands of a tile lie in shared memory as rows of k, in vec4 along m (or n):
 * [BK][per_thread / 4][threads]. Thread r reads its values of a step as vec4, and after unrolling
 * every index except the thread's own is a literal, so the inner loop has no bounds clamps. An
 * operand that is contiguous in k is transposed on its way (`Tile.staging`). The next tile is read
 * from memory into registers while the current one is multiplied.
 */
import { columnSumCode } from './column_sums.ts';
import { bindingsCode, finishCode, type SlotName, slotsOf } from './epilogue.ts';
import { type Operands, operandsOf, sharedCode, sharedName } from './operand.ts';
import { Staging } from './staging.ts';
import { storeResults } from './store_results.ts';
import { component, lines, words } from './text.ts';
import { type Tile, threadsOf } from './tile.ts';
import type { Variant } from './variant.ts';

/** WGSL that multiplies the BK steps of the tile in a buffer. */
function multiplyCode(tile: Tile, operands: Operands, buffer: number): string {
  const unrolled = tile.unroll === tile.BK;
  const stepOf = (k: number): string => (unrolled ? `${k}u` : `step + ${k}u`);
  const readStep = (k: number): string =>
    operands
      .map(({ name, per_thread, thread }) =>
        words(per_thread / 4, (c) => {
          const element = `${sharedName(name, buffer)}[${stepOf(k)}][${c}u][${thread}]`;
          return `let f${name}${c}_${k} = ${element};`;
        }),
      )
      .join(' ');
  const multiplyStep = (k: number): string =>
    lines(tile.TM, (i) =>
      words(tile.TN / 4, (j) => {
        const a = `vec4f(fA${i >> 2}_${k}.${component(i)})`;
        return `c${i}_${j} = fma(${a}, fB${j}_${k}, c${i}_${j});`;
      }),
    );
  const ahead = (k: number): string =>
    `${k + 1 < tile.unroll ? readStep(k + 1) : ''}\n${multiplyStep(k)}`;
  const steps = tile.read_ahead
    ? `${readStep(0)}\n${lines(tile.unroll, ahead)}`
    : lines(tile.unroll, (k) => `${readStep(k)}\n${multiplyStep(k)}`);
  if (unrolled) return steps;
  return `for (var step = 0u; step < ${tile.BK}u; step += ${tile.unroll}u) {\n${steps}\n}`;
}

/** Declares `tx` and `ty`, the thread's place among the BN/TN x BM/TM threads of the tile. */
function threadPlaceCode(tile: Tile, [a, b]: Operands): string {
  const lanes = tile.lanes ?? b.threads;
  if (lanes === b.threads) return `let tx = tid % ${b.threads}u; let ty = tid / ${b.threads}u;`;
  const across = b.threads / lanes;
  const rows = 32 / lanes;
  if (!Number.isInteger(across) || !Number.isInteger(a.threads / rows))
    throw new Error(
      `The tile ${tile.name} cannot be cut into groups of ${lanes} x ${rows} threads.`,
    );
  return `let lane = tid & 31u; let group = tid >> 5u;
  let tx = group % ${across}u * ${lanes}u + lane % ${lanes}u;
  let ty = group / ${across}u * ${rows}u + lane / ${lanes}u;`;
}

/** The loop over K: `tileCode(buffer)` stages and multiplies one tile. */
function loopCode(tile: Tile, columns: boolean, tileCode: (buffer: number) => string): string {
  const { BK } = tile;
  if (tile.buffers !== 2)
    return `for (var k = k_start; k < k_end; k += ${BK}u) {
    ${tileCode(0)}
    workgroupBarrier();
  }`;
  // While one buffer is stored, threads may still read the other: one barrier a tile instead of two.
  return `for (var k = k_start; k < k_end; k += ${2 * BK}u) {
    ${tileCode(0)}
    if (k + ${BK}u < k_end) {
    ${tileCode(1)}
    }
  }
  ${columns ? 'workgroupBarrier();' : ''}`;
}

function isVec(name: SlotName, { vec_a, vec_b, vec_c }: Variant): boolean {
  if (name === 'A') return vec_a;
  if (name === 'B') return vec_b;
  return name !== 'columns' && vec_c;
}

/**
 * Bindings: `slotsOf(epilogue, ['A', 'B'])`. Uniforms: M, N, K, k_per_split. Workgroups: (N/BN,
 * M/BM, splits). With more than one split, C and `columns` hold `splits` partial results one after
 * another.
 */
export function matmulCode(tile: Tile, variant: Variant): string {
  const { epilogue, float16, vec_c } = variant;
  const operands = operandsOf(tile, variant);
  const a = new Staging(operands[0], tile, variant);
  const b = new Staging(operands[1], tile, variant);
  const sums = columnSumCode(tile, variant, operands[1], b.sumColumns());
  const load = (k: string): string => `${a.load(k)}\n${b.load(k)}`;
  const tileCode = (buffer: number): string => `${sums.add}
    ${a.store(buffer)}
    ${b.store(buffer)}
    workgroupBarrier();
    let next = min(k + ${(buffer + 1) * tile.BK}u, k_last);
    ${load('next')}
    ${multiplyCode(tile, operands, buffer)}`;
  const shared = (buffer: number): string =>
    operands.map((operand) => sharedCode(operand, tile, buffer)).join('\n');
  const elementType = (name: SlotName): string => (isVec(name, variant) ? 'vec4f' : 'f32');
  return `
struct Params { M: u32, N: u32, K: u32, k_per_split: u32 }
${bindingsCode(slotsOf(epilogue, ['A', 'B']), float16, elementType)}
${lines(tile.buffers ?? 1, shared)}
${finishCode(epilogue, vec_c, float16)}
@compute @workgroup_size(${threadsOf(tile)})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let M = p.M; let N = p.N; let K = p.K;
  ${threadPlaceCode(tile, operands)}
  let m0 = wg.y * ${tile.BM}u; let n0 = wg.x * ${tile.BN}u;
  let k_start = wg.z * p.k_per_split; let k_end = min(k_start + p.k_per_split, K);
  let k_last = k_start + (k_end - k_start - 1u) / ${tile.BK}u * ${tile.BK}u;
  ${a.setup()}
  ${b.setup()}
  ${a.declare()}
  ${b.declare()}
  ${lines(tile.TM, (i) => words(tile.TN / 4, (j) => `var c${i}_${j} = vec4f();`))}
  ${sums.declare}
  ${load('k_start')}
  ${loopCode(tile, epilogue.columns !== 'none', tileCode)}
  let start = wg.z * M * N;
  ${storeResults(tile, variant, operands)}
  ${sums.store}
}`;
}
