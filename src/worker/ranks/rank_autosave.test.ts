/** Runs on ranks that save themselves: the rule, and a run that goes on from such a save. */
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Mesh, ONE_RANK } from '../../common/index.ts';
import { defaultConfig, resolveModel } from '../../config/index.ts';
import { pretrain } from '../../objectives/index.ts';
import type { PagePort } from '../../protocol/index.ts';
import { LabClient } from '../../store/lab/lab_client.ts';
import type { LabOrigin, LabState } from '../../store/lab/lab_state.ts';
import { startEngine } from '../../testing/node_engine.ts';
import type { LossHistory } from '../../train/index.ts';
import { DEVICE, SessionHarness, sessionPort, TEXT, tinyConfig } from '../testing_session.ts';
import { RankAutosave } from './rank_autosave.ts';

describe('a run on ranks is due to be saved', () => {
  const config = defaultConfig();
  Object.assign(config.training, { max_iters: 100_000 });
  Object.assign(config.runtime, { autosave_interval: 500 });
  let clock: number;
  let trainer: { step: number; model: ReturnType<typeof resolveModel>; objective: typeof pretrain };
  let history: LossHistory;
  let autosave: RankAutosave;

  beforeEach(() => {
    clock = 0;
    history = {};
    trainer = { step: 0, model: resolveModel(config.model, 48), objective: pretrain };
    autosave = new RankAutosave(trainer, config, history, () => clock);
  });

  /** Takes one step; whether the run is to be saved after it. */
  function step(loss = 3): boolean {
    const stops = autosave.isDueAfterStep;
    trainer.step++;
    history.first_loss ??= loss;
    history.last_loss = loss;
    const isDue = autosave.takeDue();
    if (isDue) expect(stops).toBe(true);
    return isDue;
  }

  test('after autosave_interval steps, and again as many steps after a save', async () => {
    trainer.step = 498;
    expect(step()).toBe(false);
    expect(step()).toBe(true);
    await autosave.during(async () => undefined);
    trainer.step = 998;
    expect([step(), step()]).toEqual([false, true]);
  });

  test('a minute after the last save, unless saving would take more than a twentieth of the time', async () => {
    clock = 60_000;
    expect(step()).toBe(true);
    await autosave.during(async () => void (clock += 10_000));
    clock += 60_000;
    expect(step()).toBe(false);
    clock += 140_000;
    expect(step()).toBe(true);
  });

  test('never while its loss is far above the first one', () => {
    expect(step(3)).toBe(false);
    trainer.step = 499;
    expect(step(9)).toBe(false);
    expect(step(3)).toBe(false);
    trainer.step = 999;
    expect(step(3)).toBe(true);
  });
});

describe('a run on ranks that saves itself', () => {
  const STEPS = 7;
  let harness: SessionHarness;

  beforeAll(startEngine);
  beforeEach(() => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    harness = new SessionHarness();
  });

  /** A worker of the page, in this thread. */
  const spawn = (): PagePort =>
    sessionPort({
      ...harness.services,
      tryBackends: async () => ({ ...DEVICE, backend: 'wasm' }),
    });

  interface Wanted {
    autosave_interval: number;
    /** Called after each step. */
    at?: (step: number, lab: LabClient) => void;
    from?: LabOrigin | null;
    learning_rate?: number;
  }

  async function train(mesh: Partial<Mesh>, wanted: Wanted): Promise<LabState> {
    const { at, from = null } = wanted;
    const lab: LabClient = new LabClient({
      spawn,
      saves: true,
      stepped: ([first]) => at?.(first?.step ?? 0, lab),
    });
    const config = tinyConfig(({ model, training, runtime }) => {
      Object.assign(model, { n_layer: 2, n_head: 2, n_embd: 8, dropout: 0.1 });
      Object.assign(training, { batch_size: 2, gradient_accumulation_steps: 2, max_iters: STEPS });
      Object.assign(training, { eval_interval: 4, eval_iters: 1 });
      training.learning_rate = wanted.learning_rate ?? training.learning_rate;
      runtime.autosave_interval = wanted.autosave_interval;
    });
    await lab.start({
      mesh: { ...ONE_RANK, ...mesh },
      config,
      ...{ files: { text: TEXT }, backend: 'wasm', name: 'ranks', from },
      stage: null,
      child: null,
    });
    return lab.store.getState();
  }

  /** Rank 1 ends in the step after the fifth. */
  const dies = (step: number, lab: LabClient): void => {
    if (step === 5) lab.kill(1);
  };

  async function stateOf(run: string) {
    const storage = await harness.store.open(run);
    const loaded = await storage.load();
    await storage.close();
    if (!loaded) throw new Error('There is no checkpoint.');
    const { step, tokens, parameters, optimizer } = loaded.state;
    return { step, tokens, parameters, optimizer };
  }

  test.each<Partial<Mesh>>([{ dp: 2, zero_stage: 3 }, { tp: 2 }, { pp: 2 }])(
    'goes on from its last save with the bits of a run that never stopped: %o',
    async (mesh) => {
      const whole = await train(mesh, { autosave_interval: 0 });
      const { run, failure, saved } = await train(mesh, { autosave_interval: 2, at: dies });
      expect(saved?.step).toBe(4);
      expect(failure).toContain('The checkpoint of step 4 is complete');
      expect((await stateOf(run)).step).toBe(4);
      const from = { run, name: 'ranks', step: 4 };
      const goesOn = await train(mesh, { autosave_interval: 2, from });
      expect(goesOn).toMatchObject({ phase: 'done', saved: { step: STEPS } });
      expect(await stateOf(goesOn.run)).toEqual(await stateOf(whole.run));
    },
  );

  test.each<Partial<Mesh>>([{ dp: 2 }, { pp: 2 }])(
    'ends where its loss explodes, in one sentence for all ranks: %o',
    async (mesh) => {
      const { phase, step, failure, ranks } = await train(mesh, {
        autosave_interval: 0,
        learning_rate: 1e4,
      });
      expect(phase).toBe('failed');
      expect(step).toBeLessThan(STEPS);
      expect(ranks.map((rank) => rank.failure)).toEqual(['', '']);
      expect(failure).toMatch(
        /^The loss (exploded to [\d.]+|is not a number) at step \d\. Start again with a lower learning_rate\.$/u,
      );
    },
  );

  test('has no save where automatic saves are off, and says so', async () => {
    const { saved, failure } = await train({ dp: 2 }, { autosave_interval: 0, at: dies });
    expect(saved).toBeNull();
    expect(failure).toMatch(/without it. Start again.$/u);
    expect(await harness.store.list()).toEqual([]);
  });

  test('keeps all of it where storage was full at first', async () => {
    const filled = (step: number): void => {
      harness.files.isFull = step < 4;
    };
    const { run, saved, save_problem } = await train(
      { tp: 2 },
      { autosave_interval: 2, at: filled },
    );
    expect(saved?.step).toBe(STEPS);
    expect(save_problem).toBe('');
    const storage = await harness.store.open(run);
    const { step, 'train/loss': loss } = await storage.readMetrics();
    expect([...(step ?? [])]).toEqual(Array.from({ length: STEPS + 1 }, (_, i) => i));
    expect(loss?.every((value, i) => i === 0 || Number.isFinite(value))).toBe(true);
    expect(await storage.loadText()).toMatchObject({ name: TEXT.name });
    await storage.close();
  });

  test('is not brought back after it was deleted, and is saved again once it is restored', async () => {
    let deleted = '';
    const states: string[] = [];
    const at = (step: number, lab: LabClient): void => {
      const { run, save_problem } = lab.store.getState();
      states.push(save_problem);
      if (step === 3) void harness.store.discard(run);
      if (step === 5) void harness.store.trash.restore(run);
      deleted = run;
    };
    const { saved } = await train({}, { autosave_interval: 2, at });
    expect(states[4]).toContain('was deleted, so its ranks do not save it any more. Restore it');
    expect(states.at(-1)).toBe('');
    expect(saved?.step).toBe(STEPS);
    expect((await stateOf(deleted)).step).toBe(STEPS);
  });

  test('does not overwrite what was trained elsewhere meanwhile', async () => {
    const at = (step: number, lab: LabClient): void => {
      if (step === 3) void trainElsewhere(lab.store.getState().run);
    };
    const { run, save_problem } = await train({}, { autosave_interval: 2, at });
    expect(save_problem).toBe(
      '“ranks” was trained elsewhere to step 100, which its ranks do not overwrite. ' +
        'End the ranks, and continue from that checkpoint.',
    );
    expect((await stateOf(run)).step).toBe(100);
  });

  /** Another tab saves a later step of the run. */
  async function trainElsewhere(run: string): Promise<void> {
    const storage = await harness.store.open(run);
    const loaded = await storage.load();
    if (!loaded) throw new Error('There is no checkpoint.');
    await storage.save({ ...loaded.state, step: 100 });
    await storage.close();
  }
});
