/** Log-probabilities and scores of given tokens under frozen weights, at a few fixed shapes. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { maxBindingSize, type Program, readback, submit } from '../../backend/index.ts';
import { logitsChunk, type ResolvedModel } from '../../config/index.ts';
import {
  type ForwardStores,
  hiddenStates,
  scores,
  tokenLogps,
  trainingInputs,
  valueProgram,
  type Weights,
  writeBatch,
} from '../../model/index.ts';
import type { ModelStores } from '../../model/index.ts';

/** Rows of a batch. */
const ROWS = 16;
/** Tokens of the shortest rows; longer shapes have twice as many each. */
const SHORTEST = 32;

export interface ScoredModel {
  model: ResolvedModel;
  weights: Weights;
  rotary: ModelStores['rotary'];
}

/** Called before each batch: it may throw, to end the work. */
export type BeforeBatch = (rowsDone: number) => Promise<void>;

interface Shape {
  stores: ForwardStores;
  logps: Promise<Program<{ logps: Tensor }>> | null;
  scores: Promise<Program<{ values: Tensor }>> | null;
}

export class Scorer {
  readonly #source: ScoredModel;
  /** By tokens of a row. */
  readonly #shapes = new Map<number, Shape>();

  constructor(source: ScoredModel) {
    this.#source = source;
  }

  /**
   * Log-probability of each token but the first of each row, nats.
   *
   * @param rows ids of at least 2 and at most block_size + 1 tokens
   */
  async logps(rows: readonly Int32Array[], before: BeforeBatch): Promise<Float32Array[]> {
    const results: Float32Array[] = [];
    for (const batch of batchesOf(rows)) {
      await before(results.length);
      const shape = this.#shapeFor(longest(batch) - 1);
      shape.logps ??= tokenLogps(shape.stores, shape.stores.weights);
      const program = await shape.logps;
      const values = await this.#run(program, program.outputs.logps, { shape, batch });
      const { block_size } = shape.stores;
      batch.forEach((ids, row) => {
        const start = row * block_size;
        results.push(values.slice(start, start + ids.length - 1));
      });
    }
    return results;
  }

  /** The scalar head's value at the last token of each row. Throws for a model without one. */
  async scores(rows: readonly Int32Array[], before: BeforeBatch): Promise<number[]> {
    const results: number[] = [];
    for (const batch of batchesOf(rows)) {
      await before(results.length);
      const shape = this.#shapeFor(longest(batch));
      shape.scores ??= valueProgram(
        shape.stores,
        { name: 'scores', reference: null },
        ({ forward }) => scores(forward, hiddenStates(forward)),
      );
      const program = await shape.scores;
      const values = await this.#run(program, program.outputs.values, { shape, batch });
      const { block_size } = shape.stores;
      batch.forEach((ids, row) => results.push(values[row * block_size + ids.length - 1] ?? NaN));
    }
    return results;
  }

  dispose(): void {
    for (const { stores, logps, scores: scoring } of this.#shapes.values()) {
      for (const compiled of [logps, scoring]) {
        // A failed compilation has been reported to the caller.
        compiled?.then((program) => program.dispose()).catch(() => undefined);
      }
      stores.inputs.dispose();
    }
    this.#shapes.clear();
  }

  /** The shortest shape whose rows have `tokens` tokens. */
  #shapeFor(tokens: number): Shape {
    const { model, weights, rotary } = this.#source;
    let block_size = Math.min(SHORTEST, model.block_size);
    while (block_size < tokens) block_size = Math.min(2 * block_size, model.block_size);
    const known = this.#shapes.get(block_size);
    if (known) return known;
    const computed = { batch_size: ROWS, mixed_precision: 'no' } as const;
    const stores: ForwardStores = {
      model,
      weights,
      rotary,
      inputs: trainingInputs(model, ROWS, block_size),
      batch_size: ROWS,
      block_size,
      loss_scale: null,
      logits_chunk: logitsChunk({ ...model, block_size }, computed, maxBindingSize()),
    };
    const shape: Shape = { stores, logps: null, scores: null };
    this.#shapes.set(block_size, shape);
    return shape;
  }

  /** Uploads, submits and requests the result in one turn, so that no other inputs come between. */
  async #run(
    program: Program,
    output: Tensor,
    { shape, batch }: { shape: Shape; batch: readonly Int32Array[] },
  ): Promise<Float32Array> {
    const { inputs, model, block_size } = shape.stores;
    writeBatch(inputs, model, rowsOf(batch, block_size), { seed: 0, step: 0 });
    submit([program]);
    const [values] = await readback([output]);
    if (!(values instanceof Float32Array)) throw new Error('The program returned no values.');
    return values;
  }
}

/** Rows padded on the right with token 0, which causal attention never sees. */
function rowsOf(batch: readonly Int32Array[], block_size: number) {
  const size = ROWS * block_size;
  const ids = new Int32Array(size);
  const targets = new Int32Array(size);
  batch.forEach((row, index) => {
    ids.set(row.subarray(0, block_size), index * block_size);
    targets.set(row.subarray(1, block_size + 1), index * block_size);
  });
  return {
    ids,
    targets,
    weights: new Float32Array(size),
    positions: Int32Array.from({ length: size }, (_, i) => i % block_size),
    row_offset: 0,
  };
}

function* batchesOf(rows: readonly Int32Array[]): Generator<readonly Int32Array[]> {
  for (let first = 0; first < rows.length; first += ROWS) yield rows.slice(first, first + ROWS);
}

const longest = (rows: readonly Int32Array[]): number =>
  Math.max(...rows.map(({ length }) => length));
