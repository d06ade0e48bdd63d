/** The precision that a run computes in: the requested one where the device supports it. */
import type { BackendName, RunConfig } from '../config/index.ts';

type MixedPrecision = RunConfig['training']['mixed_precision'];

export interface Precision {
  /** Effective precision, which may be lower than the requested one. */
  mixed_precision: MixedPrecision;
  /** Why float16 was requested and is not used, in one sentence; null if the request is met. */
  reason: string | null;
}

/** What the choice of precision depends on. */
export interface PrecisionSupport {
  /** Backend that computes; undefined while it is unknown, which counts as WebGPU. */
  backend?: BackendName | undefined;
  /**
   * Why float16 cannot be used on this device, in one sentence: the answer of the self-test, or of
   * the caller. Null if the device passed; undefined if it was not tested, which counts as passed.
   */
  float16_unsupported?: string | null | undefined;
}

/** Decides the precision of a run from the requested one and the device's support. */
export function settlePrecision(requested: MixedPrecision, support: PrecisionSupport): Precision {
  if (requested === 'no') return { mixed_precision: 'no', reason: null };
  const { backend, float16_unsupported } = support;
  if (backend !== undefined && backend !== 'webgpu')
    return {
      mixed_precision: 'no',
      reason: 'Mixed precision needs WebGPU, so this run uses single precision (float32).',
    };
  if (typeof float16_unsupported === 'string')
    return { mixed_precision: 'no', reason: float16_unsupported };
  return { mixed_precision: requested, reason: null };
}
