/** One row of the Compare view: the published TensorFlow.js trains the same configuration. */
import * as tf from '@tensorflow/tfjs';
import type { BackendName, RunConfig } from '../../config/index.ts';
import { trainBatch, type TokenSplit } from '../../data/index.ts';
import type { ComparisonRow } from '../../protocol/index.ts';
import { countGpuWork } from './gpu_work.ts';
import { StockTrainer } from './train.ts';

export interface StockRequest {
  config: RunConfig;
  split: TokenSplit;
  vocab_size: number;
  /** The backend that `startStock` has started. */
  backend: BackendName;
  steps: number;
}

/** The first step compiles and warms up: its loss is in the row, its time is not. */
export async function stockRow(request: StockRequest): Promise<ComparisonRow> {
  const { config, backend } = request;
  const trainer = new StockTrainer(config, request.vocab_size);
  try {
    const measured = await measureSteps(trainer, request);
    if (config.model.dropout === 0) return { backend, mode: 'stock', ...measured };
    return { backend, mode: 'stock', ...measured, own_dropout: true };
  } finally {
    trainer.dispose();
  }
}

async function measureSteps(
  trainer: StockTrainer,
  { config, split, backend, steps }: StockRequest,
): Promise<Omit<ComparisonRow, 'backend' | 'mode'>> {
  const { training, model } = config;
  const takeStep = (step: number): Promise<number> =>
    readOnce(trainer.takeStep(batchesOf(config, split, step)));
  const losses = [await takeStep(0)];
  const work = countGpuWork();
  const begin = performance.now();
  // A loss is read while the next step is already being submitted, as in this page's own training.
  let pending: Promise<number> | null = null;
  for (let step = 1; step < steps; step++) {
    const loss = takeStep(step);
    if (pending) losses.push(await pending);
    pending = loss;
  }
  if (pending) losses.push(await pending);
  const timed = Math.max(1, steps - 1);
  const ms = (performance.now() - begin) / timed;
  const tokens = training.batch_size * training.gradient_accumulation_steps * model.block_size;
  const onWebGpu = backend === 'webgpu';
  return {
    steps: losses.length,
    ms_per_step: ms,
    tokens_per_second: (1000 * tokens) / ms,
    dispatches_per_step: onWebGpu ? work.dispatches / timed : null,
    submits_per_step: onWebGpu ? work.submits / timed : null,
    gpu_bytes: onWebGpu ? gpuBytes() : null,
    losses,
  };
}

/** The batches of a step, as pretraining draws them (objectives/pretrain.ts). */
function batchesOf({ training, model }: RunConfig, split: TokenSplit, step: number) {
  const { batch_size, gradient_accumulation_steps: accumulation, seed } = training;
  const { block_size } = model;
  return Array.from({ length: accumulation }, (_, micro) =>
    trainBatch({ split, batch_size, block_size, accumulation, seed, step, micro }),
  );
}

async function readOnce(loss: tf.Scalar): Promise<number> {
  const [value = NaN] = await loss.data();
  loss.dispose();
  return value;
}

/** What the WebGPU backend says that it has allocated, in bytes. */
function gpuBytes(): number | null {
  const memory = tf.memory();
  if (!('numBytesAllocatedInGPU' in memory)) return null;
  const { numBytesAllocatedInGPU } = memory;
  return typeof numBytesAllocatedInGPU === 'number' ? numBytesAllocatedInGPU : null;
}
