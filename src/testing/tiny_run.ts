/**
 * A small model in training on the backend that is running: stores, programs and optimizer, a step
 * at a time. For tests.
 */
import { compileProgram, readback, submit, type Values } from '../backend/index.ts';
import type { ResolvedModel, TrainingConfig } from '../config/index.ts';
import {
  type BatchLike,
  createStores,
  crossEntropyLoss,
  disposeStores,
  listParameters,
  logitsProgram,
  type ModelStores,
  parameterSize,
  trainingMicroStep,
  writeBatch,
} from '../model/index.ts';
import { withReferences } from '../ops/index.ts';
import { createLossScale, createOptimizer } from '../optim/index.ts';

export interface TinyStep {
  loss: number;
  grad_norm: number;
}

export interface TinyRun {
  readonly stores: ModelStores;
  /** Logits of a batch [tokens, vocab_size], dropout off. */
  logits(batch: BatchLike): Promise<Values>;
  /** Loss and gradients of these micro-batches; the gradient buffers are zero again after it. */
  gradients(
    batches: readonly BatchLike[],
    step: number,
  ): Promise<{ loss: number; gradients: Map<string, Values> }>;
  /** One optimizer step over these micro-batches, the step-th (from 0), at the configured rate. */
  step(batches: readonly BatchLike[], step: number): Promise<TinyStep>;
  weights(): Promise<Map<string, Values>>;
  dispose(): void;
}

/**
 * `batch_size` is that of a micro-batch. fp16 is for WebGPU alone. Weights start as `initial` has
 * them. `references`: traced programs take no kernel. `logits_chunk` as in ModelStores.
 */
export async function tinyRun(
  model: ResolvedModel,
  training: TrainingConfig,
  batch_size: number,
  initial: (name: string) => Float32Array,
  references = false,
  logits_chunk = model.vocab_size,
): Promise<TinyRun> {
  const scaling =
    training.mixed_precision === 'fp16'
      ? createLossScale(batch_size * training.gradient_accumulation_steps * model.block_size)
      : null;
  const parameters = listParameters(model);
  const stores = createStores({
    model,
    batch_size,
    activation_checkpointing: training.activation_checkpointing,
    loss_scale: scaling?.store ?? null,
    logits_chunk,
  });
  const { weights, gradients, sums } = stores;
  const buffers = gradients.store;
  for (const p of parameters) weights.write(p.name, initial(p.name));
  const optimizer = createOptimizer(training, parameters);
  // A trace is made at the call, before anything is awaited.
  const compiled = <T>(make: () => Promise<T>): Promise<T> =>
    references ? withReferences(make) : make();
  const micro = await compiled(() => trainingMicroStep(stores, crossEntropyLoss));
  const read = await compiled(() => logitsProgram(stores));
  const update = await compiled(() =>
    compileProgram('update', () => optimizer.finishStep(weights.trainable, buffers, sums, scaling)),
  );
  const zero = (): void => {
    for (const p of parameters) buffers.write(p.name, new Float32Array(parameterSize(p)));
  };

  /** Exact: the scale is a power of two. */
  const unscaled = async (values: Map<string, Values>): Promise<Map<string, Values>> => {
    const scale = (await scaling?.store.read(['scale']))?.get('scale')?.[0] ?? 1;
    return new Map([...values].map(([name, v]) => [name, v.map((g) => g / scale)]));
  };

  async function accumulate(batches: readonly BatchLike[], step: number): Promise<number> {
    stores.sums.write('sums', new Float32Array(2));
    for (const batch of batches) {
      writeBatch(stores.inputs, model, batch, { seed: training.seed, step });
      submit([micro]);
    }
    return (await stores.sums.read()).get('sums')?.[0] ?? NaN;
  }
  return {
    stores,
    async logits(batch) {
      writeBatch(stores.inputs, model, batch, { seed: training.seed, step: 0 });
      submit([read]);
      return (await readback([read.outputs.logits]))[0] ?? new Float32Array();
    },
    async gradients(batches, step) {
      const loss = await accumulate(batches, step);
      const gradients = await unscaled(await buffers.read());
      zero();
      return { loss, gradients };
    },
    async step(batches, step) {
      const loss = await accumulate(batches, step);
      optimizer.prepare(step, training.learning_rate);
      submit([update]);
      return { loss, grad_norm: (await readback([update.outputs.results]))[0]?.[2] ?? NaN };
    },
    weights: () => weights.read(),
    dispose() {
      for (const program of [micro, read, update]) program.dispose();
      optimizer.dispose();
      disposeStores(stores);
    },
  };
}
