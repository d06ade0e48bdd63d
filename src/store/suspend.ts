/** Leaves the page without losing steps: pauses the current run and saves it. */
import { isActive } from './run_state.ts';
import type { Client } from './client.ts';

/** How long a save may take before the page counts it as failed, in milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * Pauses and saves the run, if any. Resolves to whether the page may be left; if not, the page
 * shows why the save failed.
 */
export async function suspend(client: Client): Promise<boolean> {
  const { phase, run, opening } = client.stores.run.getState();
  // A run that is still being prepared has nothing to save.
  if (run === null || opening || !isActive(phase)) return true;
  client.pause();
  const saved = saveEnd(client);
  client.save();
  return saved;
}

/** Resolves to true with the next save, and to false with the next error or after a minute. */
function saveEnd(client: Client): Promise<boolean> {
  const { run } = client.stores;
  const before = run.getState();
  return new Promise((resolve) => {
    const end = (saved: boolean): void => {
      offEvents();
      offStore();
      clearTimeout(timer);
      resolve(saved);
    };
    const offEvents = client.onEvent((event) => {
      if (event.type === 'saved') end(true);
    });
    const offStore = run.subscribe(({ error, troubles: { save } }) => {
      const failed = error !== null && error !== before.error;
      if (failed || (save && save !== before.troubles.save)) end(false);
    });
    const timer = setTimeout(() => end(false), PATIENCE_MS);
  });
}
