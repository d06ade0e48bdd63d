import { describe, expect, it, vi } from 'vitest';
import { Control } from '../train/index.ts';
import { Jobs } from './jobs.ts';
import { executeBetweenSteps, type Queued } from './queued.ts';

/** A run whose loop takes a step in each turn of the event loop. */
function trainingRun() {
  const control = new Control();
  const jobs = new Jobs(control);
  let steps = 0;
  const loop = async (): Promise<void> => {
    while (await control.gate(() => Promise.resolve())) {
      steps++;
      await new Promise((resolve) => setTimeout(resolve));
    }
  };
  const ended = loop();
  const between = (work: () => Promise<void>): Promise<void> => jobs.add(work);
  const run = { id: 'here', control, between };
  return { run, steps: () => steps, stop: () => (control.set('end'), ended) };
}

/** Work of several turns of the event loop. */
async function readStorage(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve));
}

const stepsDuring = async (command: Queued): Promise<number> => {
  const { run, steps, stop } = trainingRun();
  await vi.waitFor(() => expect(steps()).toBeGreaterThan(1));
  const before = steps();
  await executeBetweenSteps(run, command, readStorage);
  const taken = steps() - before;
  await vi.waitFor(() => expect(steps()).toBeGreaterThan(before + taken));
  await stop();
  return taken;
};

describe('a command about saved runs', () => {
  it('is done before a run that trains takes further steps', async () => {
    expect(await stepsDuring({ type: 'list_runs' })).toBeLessThanOrEqual(1);
    const command = { type: 'delete_runs', id: 1, runs: ['other'] } as const;
    expect(await stepsDuring(command)).toBeLessThanOrEqual(1);
  });
  it('lets the run take steps if it needs it, as the end of the run that is deleted does', async () => {
    expect(await stepsDuring({ type: 'tokenize', id: 1, text: '' })).toBeGreaterThan(1);
    const command = { type: 'delete_runs', id: 1, runs: ['here', 'other'] } as const;
    expect(await stepsDuring(command)).toBeGreaterThan(1);
  });
  it('tells of its own failure, and the run goes on', async () => {
    const { run, steps, stop } = trainingRun();
    const failing = executeBetweenSteps(run, { type: 'list_runs' }, () =>
      Promise.reject(new Error('No storage.')),
    );
    await expect(failing).rejects.toThrow('No storage.');
    const before = steps();
    await vi.waitFor(() => expect(steps()).toBeGreaterThan(before));
    await stop();
  });
});
