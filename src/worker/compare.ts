/**
 * The same seed and configuration for a number of steps on this worker's backend: one row of the
 * Compare view.
 */
import {
  gpuMemory,
  loadAllKernels,
  onWebGpu,
  opByOpDispatches,
  queueSubmits,
  setProgramMode,
} from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';
import { withReferences } from '../ops/index.ts';
import type { CompareMode, ComparisonRow, DeviceInfo } from '../protocol/index.ts';
import { breathe, type StepResult, Trainer } from '../train/index.ts';
import type { PreparedText } from './text.ts';
import { setTunedProducts } from './tuned.ts';
import { DEFAULT_OBJECTIVE } from '../objectives/index.ts';

/** The worker answers its messages this often, as in a run. */
const BREATH_MS = 8;

/** The first step compiles and warms up: it counts for the losses, not for the clock. */
export async function compareRow(
  recipe: RunConfig,
  text: PreparedText,
  device: DeviceInfo,
  wanted: CompareMode,
  steps: number,
  cancelled: () => boolean,
): Promise<ComparisonRow> {
  const mode = onWebGpu() ? wanted : 'plain';
  // TensorFlow.js knows no halves.
  const config: RunConfig =
    mode === 'plain'
      ? { ...recipe, training: { ...recipe.training, mixed_precision: 'no' } }
      : recipe;
  await setTunedProducts(device.adapter, null, config);
  if (onWebGpu() && mode !== 'replayed') await loadAllKernels();
  setProgramMode(mode === 'replayed' ? 'replay' : 'op_by_op');
  const trainer = await Trainer.create({
    config,
    objective: DEFAULT_OBJECTIVE,
    split: text.tokens,
    vocab_size: text.tokenizer.vocab_size,
  });
  // References are in force for what runs within the call: op by op, that is the whole step.
  const takeStep = () => trainer.takeStep();
  const take = mode === 'plain' ? () => withReferences(takeStep) : takeStep;
  try {
    const results: StepResult[] = [];
    const counted = { dispatches: 0, submits: 0 };
    take();
    results.push(...(await trainer.drain()));
    const begin = performance.now();
    let breath = begin;
    while (trainer.step < steps && !cancelled()) {
      const before = { dispatches: opByOpDispatches(), submits: queueSubmits() };
      take();
      counted.dispatches += opByOpDispatches() - before.dispatches;
      counted.submits += queueSubmits() - before.submits;
      results.push(...(await (onWebGpu() ? trainer.follow(false) : trainer.drain())));
      if (performance.now() - breath >= BREATH_MS) {
        await breathe();
        breath = performance.now();
      }
    }
    results.push(...(await trainer.drain()));
    const timed = Math.max(1, trainer.step - 1);
    const ms = (performance.now() - begin) / timed;
    return {
      backend: device.backend,
      mode,
      steps: trainer.step,
      ms_per_step: ms,
      tokens_per_second: (1000 * trainer.tokensPerStep) / ms,
      dispatches_per_step: onWebGpu()
        ? (trainer.dispatchesPerStep ?? counted.dispatches / timed)
        : null,
      submits_per_step: onWebGpu() ? counted.submits / timed : null,
      gpu_bytes: onWebGpu() ? gpuMemory().allocated : null,
      losses: results.map((r) => r.loss),
    };
  } finally {
    trainer.dispose();
    setProgramMode('replay');
  }
}
