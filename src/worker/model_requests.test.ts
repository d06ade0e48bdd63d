/** What the session answers about votes, rollouts, evaluations and open models. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unzipFolder } from '../checkpoint/index.ts';
import type { RolloutRecord, Vote } from '../common/index.ts';
import { SessionHarness, startCommand } from './testing_session.ts';

let session: SessionHarness;
beforeEach(() => {
  // Errors are logged as well as reported to the page.
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  session = new SessionHarness();
});

afterEach(() => {
  session.send({ type: 'stop' });
  vi.restoreAllMocks();
});

const vote = (choice: 0 | 1 | null): Vote => ({
  run: 'first',
  step: 20,
  prompt: 'The',
  answers: ['fox.', 'dog.'],
  choice,
  at: 7,
});

const rollout = (step: number): RolloutRecord => ({
  step,
  prompt: 'The',
  completion: 'fox.',
  rewards: { correct: 1 },
  advantage: 0.5,
  ended: true,
  completion_ids: [1, 2],
  old_logps: [-1, -2],
});

async function trained(): Promise<void> {
  session.send(startCommand());
  await session.next('finished');
}

describe('votes', () => {
  it('are kept with the run, read back, and taken back one by one', async () => {
    await trained();
    session.send({ type: 'vote', id: 1, vote: vote(0) });
    session.send({ type: 'vote', id: 2, vote: vote(null) });
    const both = await session.next('votes', ({ id }) => id === 2);
    expect(both.votes.map(({ choice }) => choice)).toEqual([0, null]);
    session.send({ type: 'undo_vote', id: 3, run: 'first' });
    await session.next('votes', ({ id }) => id === 3);
    const other = new SessionHarness({ openRunStore: async () => session.store });
    other.send({ type: 'read_votes', id: 4, run: 'first' });
    expect((await other.next('votes')).votes).toEqual([vote(0)]);
  });

  it('are refused for a run that does not exist', async () => {
    session.send({ type: 'vote', id: 1, vote: { ...vote(0), run: 'gone' } });
    expect(await session.next('error')).toMatchObject({ id: 1, error: { code: 'run_missing' } });
  });

  it('come back with an exported run', async () => {
    await trained();
    session.send({ type: 'vote', id: 1, vote: vote(1) });
    await session.next('votes');
    session.send({ type: 'export', id: 2 });
    const { bytes } = await session.next('exported');
    const files = [...unzipFolder(bytes)].map(([path, content]) => ({ path, bytes: content }));
    expect(files.map(({ path }) => path)).toContain('votes.jsonl');
    session.send({ type: 'import', id: 3, run: 'second', name: 'Second', files });
    await session.next('started', ({ run }) => run === 'second');
    session.send({ type: 'read_votes', id: 4, run: 'second' });
    const { votes } = await session.next('votes', ({ id }) => id === 4);
    expect(votes).toEqual([{ ...vote(1), run: 'second' }]);
  });
});

describe('rollouts', () => {
  it('are written with the metrics, and dropped after the step that a run continues from', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    session.trainer.rollouts = [rollout(1), rollout(2)];
    session.send({ type: 'train' });
    await session.next('finished');
    session.send({ type: 'release', id: 1 });
    await session.next('released');
    session.send({ type: 'read_rollouts', id: 2, run: 'first' });
    const event = await session.next('rollouts');
    expect([event.rollouts, event.dropped]).toEqual([[rollout(1), rollout(2)], 0]);
  });
});

describe('inspect', () => {
  it('has the text of each token of the latest batch', async () => {
    session.send(startCommand({ paused: true }));
    await session.paused();
    const tokens = [{ id: 0, mask: 1, advantage: 2 }];
    const rows = [{ group: 0, label: 'answer 1', tokens }];
    session.trainer.inspected = { objective: 'grpo', step: 3, rows };
    session.send({ type: 'inspect', id: 1 });
    const { step } = await session.next('inspected');
    expect(step?.rows[0]?.tokens).toEqual([{ ...tokens[0], text: '\n' }]);
  });

  it('needs a run', async () => {
    session.send({ type: 'inspect', id: 1 });
    expect(await session.next('error')).toMatchObject({ id: 1, error: { code: 'no_model' } });
  });
});

describe('open models', () => {
  it('refuses a model whose run is gone, and one that is not open', async () => {
    const source = { run: 'gone' };
    session.send({ type: 'open_model', id: 1, model: 'a', source, backend: 'auto' });
    expect(await session.next('error')).toMatchObject({ id: 1, error: { code: 'run_missing' } });
    session.send({ type: 'score', id: 2, model: 'a', prompt: 'x', answers: ['y'] });
    const error = await session.next('error', ({ id }) => id === 2);
    expect(error.error).toMatchObject({ code: 'model_closed' });
    expect(session.all('phase')).toEqual([]);
  });

  it('reads evaluations of runs that exist, and none of the others', async () => {
    await trained();
    session.send({ type: 'read_evaluations', id: 1, runs: ['first', 'gone'] });
    expect((await session.next('evaluations')).evaluations).toEqual([]);
  });
});
