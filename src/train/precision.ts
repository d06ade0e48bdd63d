/** The precision of a trainer that was given none, as tests and benchmarks create it. */
import { onWebGpu } from '../backend/index.ts';
import type { RunConfig } from '../config/index.ts';
import { type Precision, settlePrecision } from '../run/index.ts';

/** The precision that the configuration requests, if the running backend supports it. */
export async function precisionHere({ training }: RunConfig): Promise<Precision> {
  const requested = training.mixed_precision;
  // Which of the other backends it is makes no difference.
  if (!onWebGpu()) return settlePrecision(requested, { backend: 'cpu' });
  if (requested === 'no') return settlePrecision(requested, { backend: 'webgpu' });
  const { float16UnsupportedReason } = await import('../backend/float16_check.ts');
  const float16_unsupported = await float16UnsupportedReason();
  return settlePrecision(requested, { backend: 'webgpu', float16_unsupported });
}
