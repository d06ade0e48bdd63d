import { describe, expect, it } from 'vitest';
import type { Vote } from '../../common/index.ts';
import { askedText, preferenceLines, Voting, type VoteModels } from './votes.ts';

/** A model whose answers are numbered; with `same`, it always says the same. */
function fakeModels({ same = false, task = true } = {}) {
  let kept: Vote[] = [];
  const models: VoteModels = {
    open: async () => ({ chats: true, block_size: 64, notes: [] }),
    answer: (_run, { sampling }, onPieces) => {
      const text = same ? 'always' : `answer ${sampling.sample_seed}`;
      onPieces([{ id: 1, text, probability: 1, rivals: [] }]);
      return {
        done: Promise.resolve({ reason: 'stop', text, context_left: 9 }),
        stop: () => undefined,
      };
    },
    drawPrompts: async (_run, count, seed) =>
      task ? Array.from({ length: count }, (_, i) => `question ${seed + i}`) : [],
    votes: async () => kept,
    vote: async (vote) => (kept = [...kept, vote]),
    undoVote: async () => (kept = kept.slice(0, -1)),
  };
  return models;
}

const shown = (voting: Voting) => {
  const { pair } = voting.store.getState();
  return pair && { asked: askedText(pair.prompt), texts: pair.answers.map(({ text }) => text) };
};

describe('voting', () => {
  it('shows two different answers, and the next pair after a vote', async () => {
    const voting = new Voting(fakeModels());
    await voting.begin('run', 7);
    const first = shown(voting);
    expect(first?.texts[0]).not.toBe(first?.texts[1]);
    await voting.choose(1);
    expect(shown(voting)?.asked).not.toBe(first?.asked);
    const [vote] = voting.store.getState().votes;
    expect(vote).toMatchObject({ run: 'run', step: 7, choice: 1, answers: first?.texts });
  });
  it('takes a vote back and shows its pair again; what comes after stays in order', async () => {
    const voting = new Voting(fakeModels());
    await voting.begin('run', 7);
    const first = shown(voting);
    await voting.choose(0);
    const second = shown(voting);
    await voting.undo();
    expect(shown(voting)).toEqual(first);
    expect(voting.store.getState().votes).toEqual([]);
    await voting.choose(null);
    expect(shown(voting)).toEqual(second);
    expect(voting.store.getState().votes).toHaveLength(1);
  });
  it('says so if the model always gives the same answer', async () => {
    const voting = new Voting(fakeModels({ same: true }));
    await voting.begin('run', 7);
    expect(voting.store.getState()).toMatchObject({ state: 'failed', pair: null });
    expect(voting.store.getState().problem).toContain('same answer every time');
  });
  it('takes a question of the user where the model has learned no task', async () => {
    const voting = new Voting(fakeModels({ task: false }));
    await voting.begin('run', 7);
    expect(voting.store.getState().problem).toContain('no task');
    await voting.ask(' Who? ');
    expect(shown(voting)?.asked).toBe('Who?');
    expect(voting.store.getState().state).toBe('ready');
  });
});

describe('exported votes', () => {
  const vote = (choice: Vote['choice'], prompt: Vote['prompt']): Vote => ({
    run: 'run',
    step: 1,
    prompt,
    answers: ['a', 'b'],
    choice,
    at: 0,
  });
  it('are preferences in the columns of TRL, without votes for neither', () => {
    const messages = [{ role: 'user', content: 'Q' }] as const;
    const lines = preferenceLines([vote(1, messages), vote(null, 'x'), vote(0, 'plain')]);
    expect(
      lines
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      {
        prompt: messages,
        chosen: [{ role: 'assistant', content: 'b' }],
        rejected: [{ role: 'assistant', content: 'a' }],
      },
      { prompt: 'plain', chosen: 'a', rejected: 'b' },
    ]);
  });
});
