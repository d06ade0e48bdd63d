/** Ranks whose device is lost, as the page sees it: the lab's client and a session for each rank. */
import { beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { ONE_RANK } from '../../common/index.ts';
import type { PagePort } from '../../protocol/index.ts';
import { LabClient } from '../../store/lab/lab_client.ts';
import { startEngine } from '../../testing/node_engine.ts';
import { DEVICE, SessionHarness, sessionPort, TEXT, tinyConfig } from '../testing_session.ts';

beforeAll(startEngine);

let harness: SessionHarness;
/** By rank, loses its device as the browser reports it. */
let loseDevice: ((reason: string) => void)[];

beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  harness = new SessionHarness();
  loseDevice = [];
});

/** A worker of the page, in this thread: the engine, which is taken for a GPU. */
function spawn(): PagePort {
  const rank = loseDevice.push(() => undefined) - 1;
  return sessionPort({
    ...harness.services,
    loss_grace_ms: 60_000,
    tryBackends: async (_wanted, events) => {
      loseDevice[rank] = (reason) => events.lost(reason);
      return DEVICE;
    },
  });
}

/** Trains on two ranks, saves step 3 or 4, continues, and calls `at` after step 6. */
async function trainTwoRanks(at: (lab: LabClient) => void): Promise<LabClient> {
  const lab: LabClient = new LabClient({
    spawn,
    stepped: ([first]) => {
      if (first?.step === 3) lab.pause();
      if (first?.step === 6) at(lab);
    },
  });
  await lab.start({
    mesh: { ...ONE_RANK, dp: 2 },
    config: tinyConfig(({ training }) => {
      Object.assign(training, { batch_size: 2, max_iters: 1_000_000, eval_interval: 1_000_000 });
    }),
    ...{ files: { text: TEXT }, backend: 'webgpu', name: 'two', from: null },
    stage: null,
    child: null,
  });
  await lab.save();
  await lab.resume();
  return lab;
}

const lost = (lab: LabClient): string =>
  'Rank 1 failed: The GPU device was lost (driver reset). All ranks share one GPU: take fewer ' +
  'ranks, a smaller model or batch, or the processor under Device. ' +
  `The checkpoint of step ${lab.store.getState().saved?.step} is complete: continue from it, with any mesh.`;

test('a lost device ends the run with a sentence about its rank, and the checkpoint is complete', async () => {
  const lab = await trainTwoRanks(() => loseDevice[1]?.('driver reset'));
  expect(lab.store.getState()).toMatchObject({ phase: 'failed', failure: lost(lab) });
  await vi.waitFor(() =>
    expect(lab.store.getState().ranks[0]?.failure).toContain('Rank 1 is gone'),
  );
  const { run, saved } = lab.store.getState();
  const storage = await harness.store.open(run);
  expect((await storage.load())?.state.step).toBe(saved?.step);
  await storage.close();
});

test('a device that is lost during a pause is told when the run continues', async () => {
  const lab = await trainTwoRanks((running) => running.pause());
  expect(lab.store.getState().phase).toBe('paused');
  loseDevice[1]?.('driver reset');
  await lab.resume();
  expect(lab.store.getState()).toMatchObject({ phase: 'failed', failure: lost(lab) });
});

test('the loss of the one GPU under all ranks is told once, of the first that notices it', async () => {
  const lab = await trainTwoRanks(() => loseDevice.forEach((lose) => lose('driver reset')));
  const { failure, ranks } = lab.store.getState();
  expect(failure).toMatch(/^Rank [01] failed: The GPU device was lost \(driver reset\)/u);
  await vi.waitFor(() =>
    expect(ranks.map((rank) => lab.store.getState().ranks[rank.rank]?.failure)).toEqual([
      expect.stringContaining('The GPU device was lost'),
      expect.stringContaining('The GPU device was lost'),
    ]),
  );
});
