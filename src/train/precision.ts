/** What a run computes in: what its configuration asks for, where the device can do it. */
import { onWebGpu } from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';

export interface Precision {
  mixed_precision: RunConfig['training']['mixed_precision'];
  /** Where it is not what was asked for: why, one sentence. */
  reason: string | null;
}

export async function settlePrecision({ training }: RunConfig): Promise<Precision> {
  if (training.mixed_precision === 'no') return { mixed_precision: 'no', reason: null };
  if (!onWebGpu())
    return {
      mixed_precision: 'no',
      reason: 'Half precision needs WebGPU, so this run is in single precision.',
    };
  const { float16UnsupportedReason } = await import('../backend/float16_check.ts');
  const reason = await float16UnsupportedReason();
  return { mixed_precision: reason === null ? 'fp16' : 'no', reason };
}
