import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ONE_RANK, type RankMemory, type RankStep } from '../../common/index.ts';
import { defaultConfig, resolveModel } from '../../config/index.ts';
import type { Command, Event, PagePort } from '../../protocol/index.ts';
import { TestingLocks } from '../../protocol/testing_locks.ts';
import { LabClient } from './lab_client.ts';
import { unsavedSteps } from './lab_sentences.ts';
import type { LabOrigin } from './lab_state.ts';

const MEMORY: RankMemory = {
  weights: 4,
  gradients: 4,
  optimizer: 8,
  programs: 1,
  scratch: 2,
  rollouts: 0,
  gathered: 0,
  allocated: 20,
};

/** A worker that holds a rank: it answers at once, and trains when the test says so. */
class FakeRank {
  readonly sent: Command[] = [];
  closed = false;
  /** Why it cannot save. */
  refusal = '';
  /** Steps after which rank 0 asks for a save. */
  due: readonly number[] = [];
  /** Whether it takes its time to save. */
  savesLater = false;
  rank = -1;
  step = 0;
  emit: (event: Event) => void = () => undefined;
  die: (reason: string) => void = () => undefined;
  #training: { id: number; steps: number } | null = null;
  #saving: { id: number; run: string } | null = null;

  handle(command: Command): void {
    this.sent.push(command);
    switch (command.type) {
      case 'open_rank': {
        const { id, rank, ports, reducer_ports } = command;
        this.rank = rank;
        for (const { port } of [...ports, ...reducer_ports]) port.close();
        return this.emit({
          type: 'rank_opened',
          id,
          rank,
          memory: MEMORY,
          backend: 'wasm',
          n_params: 9,
          vocab_size: 5,
          model: resolveModel(defaultConfig().model, 5),
          row_length: 4,
          held_out_prompts: 0,
          train_pairs: 0,
        });
      }
      case 'train_rank':
        this.#training = command;
        return;
      case 'evaluate_rank':
        return this.emit({
          type: 'rank_evaluated',
          id: command.id,
          rank: this.rank,
          metrics: { step: this.step, 'val/loss': 2.5 },
        });
      case 'save_rank':
        this.#saving = command;
        if (!this.savesLater) this.endSave();
        return;
      default:
    }
  }

  endSave(): void {
    if (!this.#saving) return;
    const { id, run } = this.#saving;
    this.#saving = null;
    const { rank, step, refusal } = this;
    const bytes = rank === 0 && refusal === '' ? 123 : null;
    const problem = rank === 0 ? refusal : '';
    this.emit({ type: 'rank_saved', id, rank, run, step, bytes, problem });
  }

  takeStep(): void {
    this.step++;
    const step: RankStep = {
      rank: this.rank,
      step: this.step,
      loss: 3 - this.step / 10,
      grad_norm: 1,
      ms: 5,
      bytes: { all_reduce: 10, reduce_scatter: 0, all_gather: 0, broadcast: 0, send_recv: 0 },
      spans: [],
    };
    const metrics = this.rank === 0 ? { step: this.step, 'train/loss': step.loss } : null;
    this.emit({ type: 'rank_step', step, memory: MEMORY, metrics });
    const isPaused = this.sent.at(-1)?.type === 'pause_rank';
    const isDue = this.due.includes(this.step);
    if (this.#training && (--this.#training.steps === 0 || isPaused || isDue)) {
      const { id } = this.#training;
      const { rank } = this;
      this.#training = null;
      const save_due = isDue && rank === 0;
      this.emit({ type: 'rank_trained', id, rank, step: this.step, save_due });
    }
  }

  refuse(message: string): void {
    if (!this.#training) return;
    const error = { code: 'internal', message, hint: 'Try again.' } as const;
    this.emit({ type: 'error', id: this.#training.id, error });
    this.#training = null;
  }
}

let ranks: FakeRank[];
let lab: LabClient;

function spawn(): PagePort {
  const rank = new FakeRank();
  ranks.push(rank);
  return {
    send: (command) => rank.handle(command),
    onEvent: (listener) => {
      rank.emit = listener;
    },
    onDeath: (listener) => {
      rank.die = listener;
    },
    close: () => {
      rank.closed = true;
    },
  };
}

/** Lets promises settle. */
const settle = () => vi.advanceTimersByTimeAsync(0);
const state = () => lab.store.getState();
const commands = (rank: number, type: Command['type']) =>
  ranks[rank]?.sent.filter((command) => command.type === type) ?? [];

async function start(max_iters = 4, from: LabOrigin | null = null): Promise<void> {
  const { training, ...others } = defaultConfig();
  const config = { ...others, training: { ...training, max_iters, eval_interval: 2 } };
  void lab.start({
    mesh: { ...ONE_RANK, dp: 3 },
    config,
    files: {},
    backend: 'wasm',
    name: 'three',
    from,
    stage: null,
    child: null,
  });
  await settle();
}

async function step(): Promise<void> {
  for (const rank of ranks) rank.takeStep();
  await settle();
}

beforeEach(() => {
  vi.useFakeTimers();
  ranks = [];
  lab = new LabClient({ spawn });
});
afterEach(() => {
  lab.stop();
  vi.useRealTimers();
});

test('every rank gets a port to each of the others', async () => {
  await start();
  const ports = ranks.map(({ sent }) =>
    sent.flatMap((command) =>
      command.type === 'open_rank' ? command.ports.map(({ rank }) => rank) : [],
    ),
  );
  expect(ports).toEqual([
    [1, 2],
    [0, 2],
    [0, 1],
  ]);
  expect(state()).toMatchObject({ phase: 'training', n_params: 9, backend: 'wasm' });
});

test('a step counts once all ranks have reported it', async () => {
  await start();
  ranks[1]?.takeStep();
  ranks[0]?.takeStep();
  await vi.advanceTimersByTimeAsync(300);
  expect(state()).toMatchObject({ step: 0, recent: [] });
  ranks[2]?.takeStep();
  await vi.advanceTimersByTimeAsync(300);
  expect(state().step).toBe(1);
  expect(state().recent[0]?.map(({ rank }) => rank)).toEqual([0, 1, 2]);
  expect(lab.table.get('train/loss')?.last).toBeCloseTo(2.9);
});

test('trains to the last step, evaluates in between, and saves the run', async () => {
  await start();
  for (let i = 0; i < 4; i++) await step();
  expect(state()).toMatchObject({ phase: 'done', step: 4 });
  expect([...(lab.table.get('val/loss')?.step ?? [])]).toEqual([0, 2, 4]);
  await lab.save();
  expect(state().saved).toEqual({ step: 4, bytes: 123 });
  expect(commands(2, 'save_rank')).toMatchObject([{ run: state().run, name: 'three' }]);
});

test('pauses after the step in flight, and continues', async () => {
  await start(10);
  lab.pause();
  expect(state().phase).toBe('pausing');
  await step();
  expect(state()).toMatchObject({ phase: 'paused', step: 1 });
  void lab.resume();
  await settle();
  expect(commands(0, 'train_rank').at(-1)).toMatchObject({ steps: 1 });
  expect(state().phase).toBe('training');
});

test('a rank that dies ends the run in a sentence, and the others hear of it', async () => {
  await start();
  await step();
  ranks[1]?.die('out of memory');
  await settle();
  expect(state()).toMatchObject({ phase: 'failed', step: 1 });
  expect(state().failure).toBe(
    'Rank 1 is gone (its worker stopped: out of memory), and no step is complete without it. Start again.',
  );
  expect(commands(0, 'rank_gone')).toEqual([{ type: 'rank_gone', rank: 1 }]);
  ranks[0]?.refuse('Rank 1 is gone, so the run has ended.');
  await vi.advanceTimersByTimeAsync(6000);
  expect(ranks.every(({ closed }) => closed)).toBe(true);
  expect(state().ranks.map(({ status }) => status)).toEqual(['ready', 'gone', 'ready']);
  expect(state().ranks[0]?.failure).toContain('Rank 1 is gone');
});

describe('with Web Locks', () => {
  let locks: TestingLocks;

  beforeEach(async () => {
    locks = new TestingLocks();
    vi.stubGlobal('navigator', { locks });
    await start();
    for (const { rank, emit } of ranks) {
      const lock = `rank ${rank}`;
      void locks.request(lock, () => new Promise(() => undefined));
      emit({ type: 'rank_alive', rank, lock });
    }
    await settle();
  });
  afterEach(() => void vi.unstubAllGlobals());

  test('a worker that ends by itself ends the run at once, in a sentence', async () => {
    await step();
    locks.endHolderOf('rank 2');
    await settle();
    expect(state()).toMatchObject({ phase: 'failed', step: 1 });
    expect(state().failure).toBe(
      'Rank 2 is gone (its worker ended by itself), and no step is complete without it. Start again.',
    );
    expect(commands(0, 'rank_gone')).toEqual([{ type: 'rank_gone', rank: 2 }]);
  });

  test('a rank that the user ends is not said to have ended by itself', async () => {
    lab.kill(1);
    locks.endHolderOf('rank 1');
    await settle();
    expect(state().failure).toContain('(its worker was ended)');
    expect(state().ranks[1]?.failure).toBe('its worker was ended');
  });

  test('ranks that are stopped have not failed', async () => {
    lab.stop();
    for (const { rank } of ranks) locks.endHolderOf(`rank ${rank}`);
    await settle();
    expect(state()).toMatchObject({ phase: 'stopped', failure: '' });
  });
});

test('a rank that is ended after a save names the checkpoint', async () => {
  await start(2);
  await step();
  await step();
  await lab.save();
  lab.kill(2);
  await settle();
  expect(state().failure).toContain('The checkpoint of step 2 is complete');
});

describe('a run that saves by itself', () => {
  beforeEach(() => {
    lab = new LabClient({ spawn, saves: true });
  });

  test('is saved when it pauses and when it is done, once each', async () => {
    await start(2);
    lab.pause();
    await step();
    expect(state()).toMatchObject({ phase: 'paused', saved: { step: 1, bytes: 123 } });
    void lab.resume();
    await settle();
    lab.pause();
    await step();
    expect(state()).toMatchObject({ phase: 'done', saved: { step: 2, bytes: 123 } });
    expect(commands(1, 'save_rank')).toHaveLength(2);
    expect(unsavedSteps(state())).toBe('');
  });

  test('keeps its ranks where storage refuses, says why, and can be saved later', async () => {
    await start(2);
    const [first] = ranks;
    if (first) first.refusal = 'The storage is full. Delete runs.';
    await step();
    await step();
    expect(state()).toMatchObject({ phase: 'done', saved: null, failure: '' });
    expect(state().save_problem).toBe('The storage is full. Delete runs.');
    expect(unsavedSteps(state())).toBe('Nothing of this run was saved.');
    if (first) first.refusal = '';
    await lab.save();
    expect(state()).toMatchObject({ saved: { step: 2, bytes: 123 }, save_problem: '' });
  });

  test('is saved in between where rank 0 finds that it is time, after an evaluation of that step', async () => {
    await start(10);
    for (const rank of ranks) rank.due = [2, 3];
    await step();
    expect(commands(1, 'save_rank')).toEqual([]);
    await step();
    expect(state()).toMatchObject({ phase: 'training', saved: { step: 2, bytes: 123 } });
    expect(lab.table.get('val/loss')?.step.at(-1)).toBe(2);
    await step();
    expect(state()).toMatchObject({ phase: 'training', saved: { step: 3, bytes: 123 } });
    // To the evaluation that was due without the save.
    expect(commands(0, 'train_rank').at(-1)).toMatchObject({ steps: 1, autosave: true });
    lab.kill(2);
    expect(state().failure).toContain('The checkpoint of step 3 is complete');
  });

  test('can be paused while it saves itself, and is not saved twice', async () => {
    await start(10);
    for (const rank of ranks) Object.assign(rank, { due: [1], savesLater: true });
    await step();
    expect(state().phase).toBe('autosaving');
    lab.pause();
    expect(state().phase).toBe('pausing');
    for (const rank of ranks) rank.endSave();
    await settle();
    expect(state()).toMatchObject({ phase: 'paused', saved: { step: 1, bytes: 123 } });
    expect(commands(0, 'save_rank')).toHaveLength(1);
  });

  test('ends where a rank dies after its part of a save, and names the save that rank 0 ended', async () => {
    await start(10);
    for (const rank of ranks) Object.assign(rank, { due: [1], savesLater: true });
    await step();
    ranks[1]?.endSave();
    ranks[2]?.endSave();
    await settle();
    lab.kill(1);
    expect(state().failure).toMatch(/Start again.$/u);
    ranks[0]?.endSave();
    await settle();
    expect(state()).toMatchObject({ phase: 'failed', saved: { step: 1, bytes: 123 } });
    expect(state().failure).toContain('The checkpoint of step 1 is complete');
    // None was started anew.
    expect(ranks).toHaveLength(3);
    expect(commands(0, 'train_rank')).toHaveLength(1);
  });

  test('trains on where storage refuses a save in between, and says why', async () => {
    await start(10);
    const [first] = ranks;
    for (const rank of ranks) rank.due = [1, 2];
    if (first) first.refusal = 'The storage is full. Delete runs.';
    await step();
    expect(state()).toMatchObject({ phase: 'training', saved: null, failure: '' });
    expect(state().save_problem).toBe('The storage is full. Delete runs.');
    if (first) first.refusal = '';
    await step();
    expect(state()).toMatchObject({ saved: { step: 2, bytes: 123 }, save_problem: '' });
  });

  test('saves nothing where no step was taken since the checkpoint that it continues from', async () => {
    await start(2, { run: 'old', name: 'old', step: 2 });
    expect(state().phase).toBe('done');
    expect(commands(0, 'save_rank')).toEqual([]);
  });
});

test('ranks whose run is not to be kept never stop for a save', async () => {
  await start();
  expect(commands(0, 'train_rank')).toMatchObject([{ autosave: false }]);
});

test('a continuation that fails names the checkpoint that it began with', async () => {
  await start(6, { run: 'old', name: 'old', step: 2 });
  lab.kill(2);
  expect(state().failure).toBe(
    'Rank 2 is gone (its worker was ended), and no step is complete without it. No later step ' +
      'was saved: continue again from the checkpoint of step 2 of “old”, with any mesh.',
  );
});

test('ranks that are ended say which steps were not saved', async () => {
  await start(6, { run: 'old', name: 'old', step: 2 });
  for (const rank of ranks) rank.step = 2;
  await step();
  await step();
  lab.stop();
  expect(unsavedSteps(state())).toBe('The steps after 2 were not saved.');
});

test('the error of a rank is shown and ends all of them', async () => {
  await start();
  ranks[2]?.refuse('The device was lost.');
  await vi.advanceTimersByTimeAsync(6000);
  expect(state().failure).toBe('Rank 2 failed: The device was lost. Try again.');
  expect(ranks.every(({ closed }) => closed)).toBe(true);
});

test('all ranks are told how slow one of them is', async () => {
  await start();
  lab.slow(1, 4);
  for (const rank of [0, 1, 2]) {
    expect(commands(rank, 'slow_rank')).toEqual([{ type: 'slow_rank', rank: 1, factor: 4 }]);
  }
  expect(state().ranks[1]?.slowness).toBe(4);
});
