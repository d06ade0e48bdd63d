import { describe, expect, it } from 'vitest';
import type { EvaluationRecord } from '../../common/index.ts';
import { defaultStage } from '../../config/stage/index.ts';
import {
  type EvaluationModels,
  type EvaluationPlan,
  type EvaluationRequest,
  Evaluations,
} from './evaluations.ts';

const { dataset } = defaultStage();
const settings = { temperature: 1, max_new_tokens: 8, k: 2, samples: 4, seed: 1 };

function recordOf(run: string, notes: string[] = []): EvaluationRecord {
  return {
    at: 1,
    model: { run, name: run, weights: 'last', step: 1 },
    objective: 'sft',
    parent: null,
    reward_model: null,
    settings: { ...settings, task: 'tales', items: 1, preference: '', variant: '' },
    seconds: 1,
    values: [],
    notes,
  };
}

/** `base` has another vocabulary than the others; `broken` cannot be opened. */
function fakeModels() {
  const requests: EvaluationRequest[] = [];
  let reject: (error: Error) => void = () => undefined;
  const models: EvaluationModels = {
    open: async (run) => {
      if (run === 'broken') throw new Error('The checkpoint is gone.');
      return { vocabulary: run === 'base' ? 'small' : 'large', is_reward: run === 'reward' };
    },
    evaluate: (request, onProgress) => {
      requests.push(request);
      onProgress({ of: 'Answers', done: 0, total: 2 });
      const done =
        request.model === 'slow'
          ? new Promise<EvaluationRecord[]>((_resolve, refuse) => {
              reject = refuse;
            })
          : Promise.resolve([recordOf(request.model, ['Note.'])]);
      return { done, cancel: () => reject(new Error('The evaluation was cancelled.')) };
    },
    evaluations: async (runs) => runs.map((run) => recordOf(run)),
  };
  return { models, requests };
}

const plan = (more: Partial<EvaluationPlan>): EvaluationPlan => ({
  runs: [{ run: 'dpo', name: 'DPO', parent: 'sft' }],
  measure: ['answers'],
  dataset,
  settings,
  reward_model: null,
  ...more,
});

describe('evaluations', () => {
  it('measure one model after the other, and tell which one failed', async () => {
    const { models, requests } = fakeModels();
    const evaluations = new Evaluations(models);
    await evaluations.start(
      plan({
        runs: [
          { run: 'broken', name: 'Broken', parent: null },
          { run: 'reward', name: 'Reward', parent: null },
          { run: 'dpo', name: 'DPO', parent: 'sft' },
        ],
      }),
    );
    const { records, problems, running } = evaluations.store.getState();
    expect(requests.map(({ model }) => model)).toEqual(['dpo']);
    expect([records.length, running]).toEqual([1, null]);
    expect(problems).toEqual([
      'Broken: The checkpoint is gone.',
      'Reward: A reward model writes no answers, so it is left out.',
      'DPO: Note.',
    ]);
  });

  it('leave out what cannot be compared, and say why', async () => {
    const { models, requests } = fakeModels();
    const evaluations = new Evaluations(models);
    await evaluations.start(
      plan({
        runs: [
          { run: 'sft', name: 'SFT', parent: 'base' },
          { run: 'base', name: 'Base', parent: null },
        ],
        measure: ['kl', 'win_rate', 'rewards'],
        reward_model: 'reward',
      }),
    );
    expect(
      requests.map(({ measure, parent, reward_model }) => [measure, parent, reward_model]),
    ).toEqual([
      [['win_rate', 'rewards'], 'base', 'reward'],
      [['rewards'], undefined, undefined],
    ]);
    const { problems } = evaluations.store.getState();
    expect(problems).toContain('SFT: Its parent has another vocabulary, so KL is left out.');
    expect(problems).toContain(
      'Base: The reward model has another tokenizer, so its reward is left out.',
    );
  });

  it('ask nothing of a model of which only KL to a parent with another vocabulary is wanted', async () => {
    const { models, requests } = fakeModels();
    const evaluations = new Evaluations(models);
    const asked = (parent: string) =>
      evaluations.start(plan({ runs: [{ run: 'sft', name: 'SFT', parent }], measure: ['kl'] }));
    await asked('base');
    expect(requests).toEqual([]);
    expect(evaluations.store.getState().problems).toEqual([
      'SFT: Its parent has another vocabulary, so KL is left out.',
    ]);
    await asked('large');
    expect(requests.map(({ measure }) => measure)).toEqual([['kl']]);
    expect(evaluations.store.getState().problems).toEqual(['SFT: Note.']);
  });

  it('are cancelled with those that wait', async () => {
    const { models, requests } = fakeModels();
    const evaluations = new Evaluations(models);
    const runs = ['slow', 'dpo'].map((run) => ({ run, name: run, parent: null }));
    const started = evaluations.start(plan({ runs }));
    while (requests.length === 0) await Promise.resolve();
    expect(evaluations.store.getState()).toMatchObject({
      running: { name: 'slow', step: { of: 'Answers' } },
      waiting: 1,
    });
    evaluations.cancel();
    await started;
    expect(requests).toHaveLength(1);
    expect(evaluations.store.getState().problems).toEqual([]);
  });

  it('are read from the runs, and sorted by a column in both directions', async () => {
    const evaluations = new Evaluations(fakeModels().models);
    await evaluations.load(['a', 'b']);
    expect(evaluations.store.getState().records).toHaveLength(2);
    evaluations.sortBy('x');
    expect(evaluations.store.getState().order).toEqual({ by: 'x', descending: true });
    evaluations.sortBy('x');
    expect(evaluations.store.getState().order).toEqual({ by: 'x', descending: false });
  });
});
