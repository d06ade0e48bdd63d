/** Keeps the runs within the budget by removing what no run needs. */
import { CheckpointError } from '../error.ts';
import type { RunStore } from './run_store.ts';

export interface Pruned {
  /** Bytes that were freed. */
  bytes: number;
  /** Names of deleted runs that were removed for good. */
  purged: string[];
  /** Names of runs that have only their last checkpoint left (and their best one, if any). */
  thinned: string[];
  /** Bytes by which the runs exceed the budget even now. */
  excess: number;
}

/** A run that was just deleted can be restored for at least this long, in ms. */
const UNDO_MS = 10 * 60 * 1000;

/**
 * Removes deleted runs, then earlier checkpoints, the oldest first, until the runs are within the
 * budget. Runs that are open anywhere are left alone.
 */
export async function prune(store: RunStore, now = Date.now()): Promise<Pruned> {
  const pruned: Pruned = { bytes: 0, purged: [], thinned: [], excess: 0 };
  const budget = await store.space.budget();
  if (budget === null) return pruned;
  const total = [...(await store.space.sizes()).values()].reduce((sum, size) => sum + size, 0);
  const excess = (): number => total - pruned.bytes - budget;
  for (const { run, name, deleted, bytes } of (await store.trash.list(now)).toReversed()) {
    if (excess() <= 0 || now - deleted < UNDO_MS) break;
    await unlessLocked(() => store.trash.purge(run));
    pruned.bytes += bytes;
    pruned.purged.push(name);
  }
  for (const { run, name, locked } of (await store.list()).toReversed()) {
    if (excess() <= 0) break;
    const freed = locked ? 0 : await unlessLocked(() => store.dropPrevious(run));
    if (!freed) continue;
    pruned.bytes += freed;
    pruned.thinned.push(name);
  }
  pruned.excess = Math.max(0, excess());
  return pruned;
}

/** Another tab may open the run meanwhile. */
async function unlessLocked<T>(action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof CheckpointError && error.code === 'run_locked') return null;
    throw error;
  }
}
