/** Asks the worker for the latest batch and the rollouts of the current run. */
import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';
import type { ShownStep } from '../../../common/index.ts';
import type { Client } from '../../../store/index.ts';
import { fileName, saveFile } from '../../transfer.ts';

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
export async function inspectStep(client: Client): Promise<void> {
  const { run } = client.stores.run.getState();
  if (inside.getState().run !== run) inside.setState({ ...NOTHING, run });
  if (run === null || inside.getState().loading) return;
  inside.setState({ loading: true, problem: '' });
  try {
    const shown = await client.models.inspect();
    if (inside.getState().run === run) inside.setState({ shown });
  } catch (error) {
    if (inside.getState().run === run) inside.setState({ problem: messageOf(error) });
  } finally {
    inside.setState({ loading: false });
  }
}

/** One answer a line, as TRL's completions table has them. */
export async function downloadRollouts(client: Client): Promise<void> {
  const { name, run } = client.stores.run.getState();
  if (run === null) return;
  try {
    const rollouts = await client.models.rollouts(run);
    const lines = rollouts.map((record) => `${JSON.stringify(record)}\n`).join('');
    saveFile(`${fileName(name)}-rollouts.jsonl`, lines, 'application/jsonl');
  } catch (error) {
    inside.setState({ problem: messageOf(error) });
  }
}
