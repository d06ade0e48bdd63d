/**
 * The norm of all gradients, from the squares that each rank has added up of what it owns.
 *
 * Squares are added in float64, one sum for each piece of a parameter: its slice of tensor
 * parallelism, and of that the run of values that a rank of data parallelism owns. The sums are
 * added in a fixed order, so the norm has the same bits under every stage of ZeRO and on every rank.
 */
import type { Group } from './collectives.ts';

/** A piece of a parameter, by the indices of its owner. */
export interface Piece {
  parameter: number;
  tp: number;
  dp: number;
}

export class SquaredNorms {
  readonly #values: Float64Array<ArrayBuffer>;

  constructor(
    parameters: number,
    readonly mesh: { tp: number; dp: number },
  ) {
    this.#values = new Float64Array(parameters * mesh.tp * mesh.dp);
  }

  /** Adds the squares of these values to the sum of a piece. */
  add({ parameter, tp, dp }: Piece, values: Float32Array): void {
    let sum = 0;
    for (const value of values) sum += value * value;
    const index = (parameter * this.mesh.tp + tp) * this.mesh.dp + dp;
    this.#values[index] = (this.#values[index] ?? 0) + sum;
  }

  /** Sum over all pieces of all ranks of `world`, each of which is owned by one of them. */
  async total(world: Group): Promise<number> {
    const parts = await world.allGather(this.#values, 'squared norms');
    let total = 0;
    for (let i = 0; i < this.#values.length; i++) {
      let piece = 0;
      for (const part of parts) piece += part[i] ?? 0;
      total += piece;
    }
    return total;
  }
}
