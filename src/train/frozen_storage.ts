/** How the device keeps the frozen weights of a run with LoRA. Loaded only by runs that ask for float16. */
import { onWebGpu } from '../backend/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import { Float16Storage } from '../model/frozen_float16.ts';
import type { FrozenStorage } from '../model/index.ts';
import { settleFrozenDtype } from '../run/frozen_dtype.ts';

/** Null if the device keeps them as float32, because it cannot do otherwise. */
export async function frozenStorageHere(stage: StageConfig): Promise<FrozenStorage | null> {
  const { dtype } = settleFrozenDtype(stage, await supportHere());
  return dtype === 'float16' ? new Float16Storage({ keeps_originals: true }) : null;
}

async function supportHere() {
  // Which of the other backends it is makes no difference.
  if (!onWebGpu()) return { backend: 'cpu' } as const;
  const { float16UnsupportedReason } = await import('../backend/float16_check.ts');
  return { backend: 'webgpu', float16_unsupported: await float16UnsupportedReason() } as const;
}
