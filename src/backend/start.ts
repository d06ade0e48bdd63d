/** Starting a backend by trying it. */
import type { BackendName } from '../config/index.ts';
export async function startBackend(_name: BackendName): Promise<void> { throw new Error('not yet'); }
