/** How the frozen weights of a stage are kept: as it asks for, where the device can. */
import type { StageConfig } from '../config/stage/index.ts';
import type { PrecisionSupport } from './precision.ts';

export interface FrozenDtype {
  dtype: StageConfig['peft']['dtype'];
  /** Why float16 was requested and is not used, in one sentence; null if the request is met. */
  reason: string | null;
}

/** Whether frozen weights are to be kept in float16: only LoRA has any. */
export const asksForFloat16 = ({ peft }: StageConfig): boolean =>
  peft.peft_type === 'lora' && peft.dtype === 'float16';

/** Decides how the frozen weights of a stage are kept. */
export function settleFrozenDtype(stage: StageConfig, support: PrecisionSupport): FrozenDtype {
  if (!asksForFloat16(stage)) return { dtype: 'float32', reason: null };
  const { backend, float16_unsupported } = support;
  if (backend !== undefined && backend !== 'webgpu') {
    const reason =
      'Frozen weights in float16 need WebGPU, so the base of this run is kept in float32.';
    return { dtype: 'float32', reason };
  }
  if (typeof float16_unsupported === 'string') {
    const reason =
      'This device did not pass the check of float16, so the base of this run is kept in float32.';
    return { dtype: 'float32', reason };
  }
  return { dtype: 'float16', reason: null };
}
