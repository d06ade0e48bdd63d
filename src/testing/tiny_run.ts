/**
 * A small model in training on the current backend: stores, programs and optimizer, one step at a
 * time. For tests.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, type Program, readback, submit, type Values } from '../backend/index.ts';
import {
  recomputeGranularity,
  type ResolvedModel,
  type TrainingConfig,
} from '../config/index.ts';
import type { PeftConfig } from '../config/stage/index.ts';
import { LoraAdapters } from '../model/adapters.ts';
import {
  type BatchLike,
  createStores,
  crossEntropyLoss,
  disposeStores,
  isAdapterTensor,
  listParameters,
  loraParameters,
  logitsProgram,
  type ModelStores,
  parameterSize,
  trainingMicroStep,
  writeBatch,
} from '../model/index.ts';
import { withReferences } from '../ops/index.ts';
import {
  createLossScale,
  createOptimizer,
  type LossScale,
  type Optimizer,
} from '../optim/index.ts';

export interface TinyRunOptions {
  model: ResolvedModel;
  /** `mixed_precision: 'fp16'` works on WebGPU only. */
  training: TrainingConfig;
  /** Rows of a micro-batch. */
  batch_size: number;
  /** Initial values of each parameter, by name. */
  initial: (name: string) => Float32Array;
  /** Whether programs use the references instead of kernels. */
  references?: boolean;
  /** See ModelStores; defaults to the whole vocabulary. */
  logits_chunk?: number;
  /** Trains adapters over frozen weights. */
  peft?: PeftConfig | undefined;
}

export interface TinyStep {
  loss: number;
  grad_norm: number;
}

interface TinyPrograms {
  microStep: Program;
  logits: Program<{ logits: Tensor }>;
  update: Program<{ results: Tensor }>;
}

interface TinyParts {
  training: TrainingConfig;
  stores: ModelStores;
  optimizer: Optimizer;
  scaling: LossScale | null;
  programs: TinyPrograms;
}

export async function tinyRun(options: TinyRunOptions): Promise<TinyRun> {
  const { model, training, batch_size, initial, references = false, logits_chunk } = options;
  const tokensPerStep = batch_size * training.gradient_accumulation_steps * model.block_size;
  const scaling = training.mixed_precision === 'fp16' ? createLossScale(tokensPerStep) : null;
  const { peft } = options;
  const own = listParameters(model);
  const parameters = peft ? [...loraParameters(model, peft), ...own] : own;
  const trains = ({ name }: { name: string }): boolean => !peft || isAdapterTensor(name);
  const stores = createStores({
    model,
    batch_size,
    recompute_granularity: recomputeGranularity(training),
    loss_scale: scaling?.store ?? null,
    logits_chunk: logits_chunk ?? model.vocab_size,
    parameters,
    trains,
    adapters: peft ? new LoraAdapters(model, peft) : null,
  });
  for (const { name } of parameters) stores.weights.write(name, initial(name));
  const optimizer = createOptimizer(training, parameters.filter(trains));
  const { weights, gradients, sums } = stores;
  const finishStep = () =>
    optimizer.finishStep(weights.trainable, gradients.store, sums, { lossScale: scaling });
  // `compileProgram` traces before its first await, so inside `withReferences`.
  const compile = <T>(make: () => Promise<T>): Promise<T> =>
    references ? withReferences(make) : make();
  const programs = {
    microStep: await compile(() => trainingMicroStep(stores, crossEntropyLoss)),
    logits: await compile(() => logitsProgram(stores)),
    update: await compile(() => compileProgram('update', finishStep)),
  };
  return new TinyRun({ training, stores, optimizer, scaling, programs });
}

export class TinyRun {
  readonly #parts: TinyParts;

  constructor(parts: TinyParts) {
    this.#parts = parts;
  }

  get stores(): ModelStores {
    return this.#parts.stores;
  }

  /** Logits of a batch [tokens, vocab_size], dropout off. */
  async logits(batch: BatchLike): Promise<Values> {
    const program = this.#parts.programs.logits;
    this.#write(batch, 0);
    submit([program]);
    const [logits = new Float32Array()] = await readback([program.outputs.logits]);
    return logits;
  }

  /** Loss and gradients of these micro-batches; zeroes the gradient buffers afterwards. */
  async gradients(
    batches: readonly BatchLike[],
    step: number,
  ): Promise<{ loss: number; gradients: Map<string, Values> }> {
    const loss = await this.#accumulate(batches, step);
    const { weights, gradients } = this.stores;
    const values = await this.#unscaled(await gradients.store.read());
    for (const parameter of weights.trainable.specs) {
      gradients.store.write(parameter.name, new Float32Array(parameterSize(parameter)));
    }
    return { loss, gradients: values };
  }

  /** One optimizer step over these micro-batches; `step` counts from 0. */
  async step(batches: readonly BatchLike[], step: number): Promise<TinyStep> {
    const { optimizer, training, programs } = this.#parts;
    const loss = await this.#accumulate(batches, step);
    optimizer.prepare(step, training.learning_rate);
    submit([programs.update]);
    const [results] = await readback([programs.update.outputs.results]);
    return { loss, grad_norm: results?.[2] ?? NaN };
  }

  weights(): Promise<Map<string, Values>> {
    return this.stores.weights.read();
  }

  dispose(): void {
    const { programs, optimizer, stores } = this.#parts;
    programs.microStep.dispose();
    programs.logits.dispose();
    programs.update.dispose();
    optimizer.dispose();
    disposeStores(stores);
  }

  /** Adds the gradients of all micro-batches to the buffers; returns their loss. */
  async #accumulate(batches: readonly BatchLike[], step: number): Promise<number> {
    const { sums } = this.stores;
    sums.write('sums', new Float32Array(2));
    for (const batch of batches) {
      this.#write(batch, step);
      submit([this.#parts.programs.microStep]);
    }
    return (await sums.read()).get('sums')?.[0] ?? NaN;
  }

  #write(batch: BatchLike, step: number): void {
    const { inputs, model } = this.stores;
    writeBatch(inputs, model, batch, { seed: this.#parts.training.seed, step });
  }

  /** Divides by the loss scale, which is exact because the scale is a power of two. */
  async #unscaled(values: Map<string, Values>): Promise<Map<string, Values>> {
    const store = this.#parts.scaling?.store;
    const scale = (await store?.read(['scale']))?.get('scale')?.[0] ?? 1;
    return new Map([...values].map(([name, scaled]) => [name, scaled.map((g) => g / scale)]));
  }
}
