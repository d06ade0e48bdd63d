/** Asks the worker for the latest batch and the rollouts of the current run. */
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { RolloutRecord, ShownStep } from '../../../common/index.ts';
import type { RunStateStore } from '../../../store/index.ts';
import { fileName, saveFile } from '../../transfer.ts';

/** What this needs of the client. */
export interface Inspector {
  stores: { run: RunStateStore };
  /** The latest batch; null before the first step. */
  inspect?(): Promise<ShownStep | null>;
  /** All answers that the run has sampled. */
  rollouts?(): Promise<readonly RolloutRecord[]>;
}

interface Inside {
  /** The run that it belongs to. */
  run: string | null;
  shown: ShownStep | null;
  loading: boolean;
  /** Why the batch could not be read, one sentence. */
  problem: string;
}

const NOTHING: Inside = { run: null, shown: null, loading: false, problem: '' };
const inside = createStore<Inside>(() => NOTHING);

export const useInside = (): Inside => useStore(inside);

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Takes the latest batch; the one before stays until then, unless it is of another run. */
export async function inspectStep(client: Inspector): Promise<void> {
  const { run } = client.stores.run.getState();
  if (inside.getState().run !== run) inside.setState({ ...NOTHING, run });
  if (run === null || inside.getState().loading) return;
  inside.setState({ loading: true, problem: '' });
  try {
    const shown = (await client.inspect?.()) ?? null;
    if (inside.getState().run === run) inside.setState({ shown });
  } catch (error) {
    if (inside.getState().run === run) inside.setState({ problem: messageOf(error) });
  } finally {
    inside.setState({ loading: false });
  }
}

/** One answer a line, as TRL's completions table has them. */
export async function downloadRollouts(client: Inspector): Promise<void> {
  const { name } = client.stores.run.getState();
  try {
    const rollouts = (await client.rollouts?.()) ?? [];
    const lines = rollouts.map((record) => `${JSON.stringify(record)}\n`).join('');
    saveFile(`${fileName(name)}-rollouts.jsonl`, lines, 'application/jsonl');
  } catch (error) {
    inside.setState({ problem: messageOf(error) });
  }
}
