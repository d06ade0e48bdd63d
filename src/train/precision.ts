/** The precision of a run: what its configuration asks for, if the device supports it. */
import { onWebGpu } from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';

export interface Precision {
  mixed_precision: RunConfig['training']['mixed_precision'];
  /** One sentence that says why it is not what was asked for; null if it is. */
  reason: string | null;
}

export async function settlePrecision({ training }: RunConfig): Promise<Precision> {
  if (training.mixed_precision === 'no') return { mixed_precision: 'no', reason: null };
  if (!onWebGpu()) {
    const reason = 'Half precision needs WebGPU, so this run is in single precision.';
    return { mixed_precision: 'no', reason };
  }
  const { float16UnsupportedReason } = await import('../backend/float16_check.ts');
  const reason = await float16UnsupportedReason();
  return { mixed_precision: reason === null ? 'fp16' : 'no', reason };
}
