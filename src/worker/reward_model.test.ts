/** Which reward models PPO takes, on the engine in Node with the sessions and storage of the page. */
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunConfig } from '../config/index.ts';
import { parseStage } from '../config/stage/index.ts';
import type { OwnText, StartCommand } from '../protocol/index.ts';
import { startEngine } from '../testing/node_engine.ts';
import { Trainer } from '../train/index.ts';
import { DEVICE, SessionHarness, startCommand, TEXT, tinyConfig } from './testing_session.ts';

const configOf = (model: Partial<RunConfig['model']> = {}): RunConfig =>
  tinyConfig((config) => {
    Object.assign(config.model, { n_layer: 2, n_head: 2, n_embd: 16, block_size: 48 }, model);
    Object.assign(config.training, { max_iters: 1, eval_interval: 1, eval_iters: 1 });
    config.runtime.backend = 'wasm';
  });

const WORDS = ['fox', 'dog', 'the', 'lazy'];
const linesOf = (make: (word: string) => object): OwnText => ({
  name: 'own.jsonl',
  bytes: new TextEncoder().encode(WORDS.map((word) => JSON.stringify(make(word))).join('\n')),
});
const EXAMPLES = linesOf((word) => ({ prompt: word, completion: `a ${word}` }));
const PAIRS = linesOf((word) => ({ prompt: word, chosen: `a ${word}`, rejected: `the ${word}` }));

let harness: SessionHarness;

beforeAll(startEngine);
beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  harness = new SessionHarness({
    tryBackends: async () => ({ ...DEVICE, backend: 'wasm' as const }),
    createTrainer: (options) => Trainer.create(options),
  });
  expect(await trained('base')).toBe('');
});

/** Trains a run for one step and closes it; returns what the page shows if it cannot begin. */
async function trained(run: string, change: Partial<StartCommand> = {}): Promise<string> {
  const command = startCommand({ run, name: run, config: configOf(), ...change });
  const refusal = await harness.train(command);
  return refusal ? `${refusal.message} ${refusal.hint}` : '';
}

const stageOf = (objective: 'sft' | 'reward' | 'ppo', parent: string): Partial<StartCommand> => ({
  stage: parseStage({
    objective,
    dataset: { task: 'own' },
    ppo: { response_length: 6, num_ppo_epochs: 1, num_mini_batches: 1 },
  }),
  parent: { run: parent },
  dataset: objective === 'reward' ? PAIRS : EXAMPLES,
});

/** PPO that the run `reward` scores; returns what the page shows if it cannot begin. */
const ppo = (parent: string, reward = 'reward'): Promise<string> =>
  trained('ppo', { ...stageOf('ppo', parent), reward_model: { run: reward } });

describe('PPO is scored by a reward model that was trained', () => {
  test('from the base model whose answers it scores', async () => {
    expect(await trained('reward', stageOf('reward', 'base'))).toBe('');
    expect(await ppo('base')).toBe('');
  });
  test('from the base model, where the policy comes after SFT', async () => {
    expect(await trained('sft', stageOf('sft', 'base'))).toBe('');
    expect(await trained('reward', stageOf('reward', 'base'))).toBe('');
    expect(await ppo('sft')).toBe('');
  });
  test('from another model of the same sizes and tokenizer', async () => {
    expect(await trained('other')).toBe('');
    expect(await trained('reward', stageOf('reward', 'other'))).toBe('');
    expect(await ppo('base')).toBe('');
  });
});

describe('PPO refuses', () => {
  test.each([
    [{ n_layer: 1 }, 'n_layer 1', 2],
    [{ n_head: 4 }, 'n_head 4', 2],
    [{ block_size: 64 }, 'block_size 64', 48],
  ])('a reward model of another size: %o', async (model, its, ours) => {
    expect(await trained('other', { config: configOf(model) })).toBe('');
    expect(await trained('reward', stageOf('reward', 'other'))).toBe('');
    expect(await trained('sft', stageOf('sft', 'base'))).toBe('');
    expect(await ppo('sft')).toBe(
      `The reward model “reward” has ${its}, and “sft” has ${ours}. ` +
        'Choose a reward model of the same sizes, such as one trained from the same parent.',
    );
  });
  test('a reward model of another tokenizer', async () => {
    const bytes = new TextEncoder().encode(
      `${'A FOX and the lazy fox and the dog '.repeat(20)}\n`.repeat(3),
    );
    expect(await trained('other', { text: { ...TEXT, bytes } })).toBe('');
    expect(await trained('reward', stageOf('reward', 'other'))).toBe('');
    expect(await ppo('base')).toBe(
      'The reward model “reward” has another tokenizer than “base”. ' +
        'Choose a reward model that was trained from the same parent.',
    );
  });
  test('a model that scores nothing', async () => {
    expect(await ppo('base', 'base')).toBe(
      '“base” is no reward model. ' +
        'Choose a model that was trained on pairs with the objective reward.',
    );
  });
});
