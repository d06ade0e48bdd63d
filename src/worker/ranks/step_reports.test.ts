/** What ranks report of their steps to the page: the lab's client and a session for each rank. */
import { beforeAll, expect, test, vi } from 'vitest';
import { ONE_RANK, type RankStep } from '../../common/index.ts';
import { LabClient } from '../../store/lab/lab_client.ts';
import { startEngine } from '../../testing/node_engine.ts';
import { DEVICE, SessionHarness, sessionPort, TEXT, tinyConfig } from '../testing_session.ts';

beforeAll(startEngine);

test('a step after an evaluation or a checkpoint reports its own bytes alone', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const { services } = new SessionHarness();
  const steps: RankStep[] = [];
  const lab: LabClient = new LabClient({
    spawn: () => sessionPort({ ...services, tryBackends: async () => DEVICE }),
    saves: true,
    stepped: ([first]) => {
      if (first) steps.push(first);
      if (first?.step === 4) lab.pause();
    },
  });
  await lab.start({
    mesh: { ...ONE_RANK, tp: 2 },
    config: tinyConfig(({ model, training }) => {
      Object.assign(model, { n_head: 2 });
      Object.assign(training, { batch_size: 2, max_iters: 8, eval_interval: 3 });
    }),
    ...{ files: { text: TEXT }, backend: 'webgpu', name: 'two', from: null },
    stage: null,
    child: null,
  });
  await lab.resume();
  expect(lab.store.getState().phase).toBe('done');
  expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(new Set(steps.map(({ bytes }) => JSON.stringify(bytes))).size).toBe(1);
  lab.stop();
});
