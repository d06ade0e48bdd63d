/** Sums of B's columns, computed by the matmul's own kernel from the values that it stages. */
import { type Operand, sharedPlace } from './operand.ts';
import { type Tile, threadsOf } from './tile.ts';
import type { Variant } from './variant.ts';

export interface ColumnSumCode {
  /** Declares the accumulator. */
  declare: string;
  /** Follows each load: adds what was loaded. */
  add: string;
  /** Follows the last tile: reduces over the threads and stores. */
  store: string;
}

/**
 * WGSL that sums B's columns in the first row of workgroups. Each thread adds up the four columns
 * that it stages; the threads of the same four columns are then added in order, through B's shared
 * memory. Empty where the epilogue has no columns.
 *
 * Throws if B is transposed or the threads do not cover whole rows of B's tile.
 */
export function columnSumCode(
  tile: Tile,
  { epilogue }: Variant,
  operand: Operand,
  add: string,
): ColumnSumCode {
  if (epilogue.columns === 'none') return { declare: '', add: '', store: '' };
  const across = tile.BN / 4;
  const lanes = threadsOf(tile) / across;
  if (operand.mode !== 'rows' || !Number.isInteger(lanes) || lanes > tile.BK)
    throw new Error(`The tile ${tile.name} cannot sum the columns of B.`);
  const assign = epilogue.columns === 'add' ? '+=' : '=';
  return {
    declare: 'var column_sum = vec4f();',
    add: `if (wg.y == 0u) { ${add} }`,
    store: `if (wg.y == 0u) {
    ${sharedPlace(operand, `tid / ${across}u`, `tid % ${across}u`)} = column_sum;
    workgroupBarrier();
    if (tid < ${across}u) {
      var total = ${sharedPlace(operand, '0u', 'tid')};
      for (var lane = 1u; lane < ${lanes}u; lane++) { total += ${sharedPlace(operand, 'lane', 'tid')}; }
      for (var e = 0u; e < 4u; e++) {
        let n = n0 + tid * 4u + e;
        if (n < N) { columns[wg.z * N + n] ${assign} total[e]; }
      }
    }
  }`,
  };
}
