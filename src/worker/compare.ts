/**
 * Trains the same seed and configuration for a number of steps on this worker's backend: one row of
 * the Compare view.
 */
import {
  deviceMemory,
  hasOwnKernels,
  loadAllKernels,
  onWebGpu,
  opByOpDispatches,
  queueSubmits,
  setProgramMode,
} from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';
import { DEFAULT_OBJECTIVE } from '../objectives/index.ts';
import { withReferences } from '../ops/index.ts';
import type { CompareMode, ComparisonRow, DeviceInfo } from '../protocol/index.ts';
import { breathe, type StepResult, Trainer } from '../train/index.ts';
import type { PreparedText } from './prepared_text.ts';
import { setTunedProducts } from './tuned.ts';

/** How often the worker answers its messages, as in a run. */
const BREATHE_MS = 8;

/** Stock TensorFlow.js has a worker of its own. */
type OwnMode = Exclude<CompareMode, 'stock'>;

export interface CompareRequest {
  config: RunConfig;
  text: PreparedText;
  device: DeviceInfo;
  /** Only WebGPU and the engine on the processor have another mode than `plain`. */
  mode: OwnMode;
  steps: number;
  isCancelled: () => boolean;
}

/** The first step compiles and warms up: its loss is in the row, its time is not. */
export async function compareRow(request: CompareRequest): Promise<ComparisonRow> {
  const { text, device, mode } = request;
  if (mode !== 'plain' && !hasOwnKernels()) {
    throw new Error(`The kernels of this page do not run on this backend here. ${device.reason}`);
  }
  const config = mode === 'plain' ? inFloat32(request.config) : request.config;
  await setTunedProducts(device.adapter, null, config);
  if (onWebGpu() && mode !== 'replayed') await loadAllKernels();
  setProgramMode(mode === 'replayed' ? 'replay' : 'op_by_op');
  const trainer = await Trainer.create({
    config,
    objective: DEFAULT_OBJECTIVE,
    split: text.tokens,
    vocab_size: text.tokenizer.vocab_size,
  });
  try {
    const measured = await measureSteps(trainer, mode, request);
    return { backend: device.backend, mode, ...measured };
  } finally {
    trainer.dispose();
    setProgramMode('replay');
  }
}

/** TensorFlow.js's own operations have no float16. */
const inFloat32 = (config: RunConfig): RunConfig => ({
  ...config,
  training: { ...config.training, mixed_precision: 'no' },
});

async function measureSteps(
  trainer: Trainer,
  mode: OwnMode,
  { steps, isCancelled }: CompareRequest,
): Promise<Omit<ComparisonRow, 'backend' | 'mode'>> {
  const results: StepResult[] = [];
  const counted = { dispatches: 0, submits: 0 };
  // References apply to everything that runs within the call: op by op, that is the whole step.
  const takeStep = (): void | Promise<void> =>
    mode === 'plain' ? withReferences(() => trainer.takeStep()) : trainer.takeStep();
  await takeStep();
  results.push(...(await trainer.drain()));
  const begin = performance.now();
  let breathed = begin;
  while (trainer.step < steps && !isCancelled()) {
    const before = { dispatches: opByOpDispatches(), submits: queueSubmits() };
    await takeStep();
    counted.dispatches += opByOpDispatches() - before.dispatches;
    counted.submits += queueSubmits() - before.submits;
    results.push(...(await (onWebGpu() ? trainer.follow(false) : trainer.drain())));
    if (performance.now() - breathed < BREATHE_MS) continue;
    await breathe();
    breathed = performance.now();
  }
  results.push(...(await trainer.drain()));
  const timed = Math.max(1, trainer.step - 1);
  const ms = (performance.now() - begin) / timed;
  return {
    steps: trainer.step,
    ms_per_step: ms,
    tokens_per_second: (1000 * trainer.tokensPerStep) / ms,
    dispatches_per_step:
      trainer.dispatchesPerStep ?? (onWebGpu() ? counted.dispatches / timed : null),
    submits_per_step: onWebGpu() ? counted.submits / timed : null,
    gpu_bytes: deviceMemory()?.allocated ?? null,
    losses: results.map((result) => result.loss),
  };
}
