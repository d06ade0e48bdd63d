/**
 * The squared norm of all gradients. Each rank sums the squares of the gradients that it owns, in
 * float64, with one sum for each piece of a parameter; a piece is a slice of tensor parallelism, cut
 * further into the runs of values that ranks of data parallelism own. The sums of all pieces are added
 * in a fixed order, so the norm has the same bits on every rank and under every stage of ZeRO.
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

  /** Adds the squares of these values to the sum of a piece. Called with values that this rank owns. */
  add({ parameter, tp, dp }: Piece, values: Float32Array): void {
    let sum = 0;
    for (const value of values) sum += value * value;
    const index = (parameter * this.mesh.tp + tp) * this.mesh.dp + dp;
    this.#values[index] = (this.#values[index] ?? 0) + sum;
  }

  /** Sum over all pieces. Every rank of `world` must call it; each piece has one owner among them. */
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
