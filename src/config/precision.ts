/**
 * Mixed precision needs WebGPU: what a configuration comes to elsewhere, and what the page says of
 * the options that it switches off.
 */
import type { FieldPath } from './fields.ts';
import type { BackendName, RunConfig } from './schema.ts';

/** The configuration as it is computed on this backend: what plans and checks are made of. */
export const asComputed = (config: RunConfig, backend: BackendName | undefined): RunConfig =>
  backend === undefined || backend === 'webgpu' || config.training.mixed_precision === 'no'
    ? config
    : { ...config, training: { ...config.training, mixed_precision: 'no' } };

/**
 * What is known of the device; of a run on it, what it computes in and why that is not what was
 * asked for.
 */
export interface PrecisionFacts {
  backend: BackendName | undefined;
  features: readonly string[];
  run: { mixed_precision: string; subgroup_matrices: boolean; reason: string | null } | null;
}

/**
 * Why this option has no effect here, one sentence; null where it has one, and for all other
 * options.
 */
export function withoutEffect(
  path: FieldPath,
  config: RunConfig,
  { backend, features, run }: PrecisionFacts,
): string | null {
  if (path === 'training.mixed_precision') {
    const chosen = config.runtime.backend;
    if (
      (chosen !== 'auto' && chosen !== 'webgpu') ||
      (chosen === 'auto' && backend !== undefined && backend !== 'webgpu')
    )
      return 'Half precision needs WebGPU, which is not what computes here: everything stays in single precision.';
    return run?.reason ?? null;
  }
  if (path !== 'runtime.subgroup_matrices' || backend === undefined) return null;
  if (!features.includes('chromium-experimental-subgroup-matrix'))
    return 'This browser offers no subgroup matrices on this device, so nothing changes.';
  return run?.mixed_precision === 'fp16' &&
    config.runtime.subgroup_matrices &&
    !run.subgroup_matrices
    ? 'Subgroup matrices failed their check on this device, or its subgroups are not of 32, so they are not used.'
    : null;
}
