/**
 * Tensor parallelism in the forward and backward pass (Shoeybi et al. 2019, section 3). Each branch
 * of a layer has one all-reduce of [tokens, n_embd] forward, after its last projection, and one
 * backward, before its first ones. They are boundaries of the traced program.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { boundary, readback, writeTensor } from '../backend/index.ts';
import {
  type BatchLike,
  embeddingName,
  type Forward,
  type PreparedInputs,
  type Tape,
  type TensorParallel,
} from '../model/index.ts';
import { add, embedding, type HeadRange, run, type Tensors } from '../ops/index.ts';
import { activate, headTokenEntropy, vocabParallelEmbedding } from '../ops/parallel.ts';
import type { Group } from './collectives.ts';
import { localModel, type TensorPart } from './tensor_model.ts';
import { isRowParallel } from './tensor_parameters.ts';
import { LocalVocabulary } from './tensor_vocabulary.ts';

type Activate = TensorParallel['activate'];

/** The collectives that a program runs while it is in a region of tensor parallelism; see TensorParallel. */
export class TensorParallelRegion implements TensorParallel {
  readonly heads: HeadRange;
  readonly #group: Group;
  readonly #part: TensorPart;
  readonly #vocabulary: LocalVocabulary;

  constructor(group: Group, part: TensorPart) {
    const { n_head } = localModel(part);
    this.heads = { first: part.index * n_head, count: part.model.n_head };
    this.#group = group;
    this.#part = part;
    this.#vocabulary = new LocalVocabulary(part);
  }

  copyToRegion(tape: Tape, x: Tensor): void {
    tape.hook(x, (gradient) => {
      this.#allReduce(gradient, 'backward');
    });
  }

  reduceFromRegion(x: Tensor): void {
    this.#allReduce(x, 'forward');
  }

  omitsBias(layer: string): boolean {
    return this.#part.index > 0 && isRowParallel(layer);
  }

  /** With adapters the result is recomputed instead of kept: frozen weights need no gradient from it. */
  readonly activate: Activate = ({ tape, weights }, x, attrs) =>
    tape.apply(activate, { x }, attrs, { recompute: !!weights.adapters }).y;

  embed({ tape, weights, inputs, model }: Forward): Tensor {
    const tokens = {
      weight: weights.get(embeddingName(model)),
      ids: inputs.get('ids'),
      sorted: inputs.get('ids_sorted'),
      starts: inputs.get('ids_starts'),
    };
    const { y } = tape.apply(vocabParallelEmbedding, tokens, {});
    this.#allReduce(y, 'embedding');
    if (model.layout !== 'gpt2') return y;
    const positions = {
      weight: weights.get('transformer.wpe.weight'),
      ids: inputs.get('positions'),
      sorted: inputs.get('positions_sorted'),
      starts: inputs.get('positions_starts'),
    };
    const { y: position } = tape.apply(embedding, positions, {});
    return tape.apply(add, { a: y, b: position }, {}).sum;
  }

  entropy(operands: Tensors<'x' | 'weight' | 'lse'>, chunk: number): Tensor {
    const { entropy } = run(headTokenEntropy, operands, { chunk });
    this.#allReduce(entropy, 'entropy');
    return entropy;
  }

  readonly exchangeRows = (states: Tensor): void => {
    boundary(states, { name: 'cross-entropy', run: (tensor) => this.#mergeRows(tensor) });
  };

  prepare(batch: BatchLike): PreparedInputs {
    return this.#vocabulary.prepare(batch);
  }

  #allReduce(tensor: Tensor, what: string): void {
    boundary(tensor, { name: `tensor-parallel ${what}`, run: (here) => this.#sum(here, what) });
  }

  async #sum(tensor: Tensor, what: string): Promise<void> {
    const sum = await this.#group.allReduce(await floatsOf(tensor), what);
    writeTensor(tensor, sum);
  }

  async #mergeRows(tensor: Tensor): Promise<void> {
    const parts = await this.#group.allGather(await floatsOf(tensor), 'cross-entropy');
    writeTensor(tensor, this.#vocabulary.mergeRows(parts));
  }
}

async function floatsOf(tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
  const [values] = await readback([tensor]);
  return new Float32Array(values ?? []);
}
