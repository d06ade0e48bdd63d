/** Options that have no effect on some devices, or cannot be chosen with others, and why. */
import type { FieldPath } from './fields.ts';
import { ACTIVATIONS_OF } from './layout.ts';
import type { BackendName, RunConfig } from './schema.ts';

/** What is known about the device, and about the run on it. */
export interface PrecisionFacts {
  /** Undefined until a backend has started. */
  backend: BackendName | undefined;
  /** WebGPU features of the device. */
  features: readonly string[];
  /** The effective precision of the current run, and why it is not the requested one. */
  run: { mixed_precision: string; subgroup_matrices: boolean; reason: string | null } | null;
}

/** Returns why an option has no effect here, in one sentence; null if it has one. */
export function withoutEffect(
  path: FieldPath,
  config: RunConfig,
  facts: PrecisionFacts,
): string | null {
  switch (path) {
    case 'training.mixed_precision':
      return mixedPrecisionWithoutEffect(config, facts);
    case 'runtime.subgroup_matrices':
      return subgroupMatricesWithoutEffect(config, facts);
    default:
      return null;
  }
}

function mixedPrecisionWithoutEffect(config: RunConfig, facts: PrecisionFacts): string | null {
  const chosen = config.runtime.backend;
  const backend = chosen === 'auto' ? facts.backend : chosen;
  if (backend !== undefined && backend !== 'webgpu')
    return 'Mixed precision needs WebGPU; on this backend everything stays in float32.';
  return facts.run?.reason ?? null;
}

function subgroupMatricesWithoutEffect(config: RunConfig, facts: PrecisionFacts): string | null {
  const { backend, features, run } = facts;
  if (backend === undefined) return null;
  if (!features.includes('chromium-experimental-subgroup-matrix'))
    return 'This browser offers no subgroup matrices on this device, so nothing changes.';
  const expected = run?.mixed_precision === 'fp16' && config.runtime.subgroup_matrices;
  if (expected && !run.subgroup_matrices)
    return 'Subgroup matrices failed their check on this device, or its subgroup size is not 32, so they are not used.';
  return null;
}

/** Why an option of a choice cannot be chosen with the rest of the configuration; null if it can. */
export function optionUnavailable(
  path: FieldPath,
  option: string,
  { model }: RunConfig,
): string | null {
  if (path !== 'model.activation_function') return null;
  const isSupported = ACTIVATIONS_OF[model.layout].some((name) => name === option);
  if (isSupported) return null;
  return model.layout === 'gpt2' ? 'only in Llama' : 'only in GPT-2';
}
