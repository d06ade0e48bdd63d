/** Makes a registered tfjs backend the current one. */
import { ready, setBackend } from '@tensorflow/tfjs-core';

/** Resolves to false if the backend can't be initialized. */
export async function selectBackend(name: string): Promise<boolean> {
  try {
    const selected = await setBackend(name);
    await ready();
    return selected;
  } catch {
    return false;
  }
}
