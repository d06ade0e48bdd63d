/** The same seed and configuration for a number of steps on this worker's backend: one row of the Compare view. */
import { gpuMemory, onWebGpu } from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { ComparisonRow, DeviceInfo } from '../protocol/index.ts';
import { breathe, type StepResult, Trainer } from '../train/index.ts';
import type { PreparedText } from './text.ts';
import { setTunedProducts } from './tuned.ts';

/** The first step compiles and warms up: it counts for the losses, not for the clock. */
export async function compareRow(config: RunConfig, text: PreparedText, device: DeviceInfo, steps: number, cancelled: () => boolean): Promise<ComparisonRow> {
  await setTunedProducts(device.adapter, null);
  const trainer = await Trainer.create(config, text.tokens, text.tokenizer.vocab_size, null, () => undefined);
  try {
    const results: StepResult[] = [];
    trainer.takeStep();
    results.push(...await trainer.drain());
    const begin = performance.now();
    while (trainer.step < steps && !cancelled()) {
      trainer.takeStep();
      if (trainer.mustDrain || !onWebGpu()) results.push(...await trainer.drain());
      await breathe();
    }
    results.push(...await trainer.drain());
    const timed = Math.max(1, trainer.step - 1), ms = (performance.now() - begin) / timed;
    return {
      backend: device.backend, mode: onWebGpu() ? 'fused kernels, replayed' : 'op by op', steps: trainer.step, ms_per_step: ms,
      tokens_per_second: (1000 * trainer.tokensPerStep) / ms, dispatches_per_step: trainer.dispatchesPerStep, gpu_bytes: onWebGpu() ? gpuMemory().allocated : null,
      losses: results.map((r) => r.loss),
    };
  } finally { trainer.dispose(); }
}
