/** Weights in float16 for a model that is only read. Loaded only where that is requested. */
import { onWebGpu } from '../../backend/index.ts';
import { beyondFloat16, Float16Storage } from '../../model/frozen_float16.ts';
import type { FrozenStorage, Parameter } from '../../model/index.ts';

/** The storage of a model's weights on the open device, or why it stays float32, in one sentence. */
export async function weightsInFloat16(
  parameters: readonly Parameter[],
  values: ReadonlyMap<string, Float32Array>,
): Promise<{ storage: FrozenStorage | null; reason: string | null }> {
  const reason = (await unsupported()) ?? outOfRange(parameters, values);
  if (reason !== null) return { storage: null, reason };
  return { storage: new Float16Storage({ keeps_originals: false }), reason: null };
}

async function unsupported(): Promise<string | null> {
  if (!onWebGpu()) return 'Weights in float16 need WebGPU, so they are kept in float32.';
  const { float16UnsupportedReason } = await import('../../backend/float16_check.ts');
  const failed = (await float16UnsupportedReason()) !== null;
  return failed
    ? 'This device did not pass the check of float16, so the weights are kept in float32.'
    : null;
}

function outOfRange(
  parameters: readonly Parameter[],
  values: ReadonlyMap<string, Float32Array>,
): string | null {
  const found = beyondFloat16(parameters, (name) => values.get(name));
  if (!found) return null;
  return (
    `A weight of ${found.name} is ${found.value}, and float16 ends at 65,504, ` +
    'so the weights are kept in float32.'
  );
}
