import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CHAINS, recipeOf } from './chains.ts';
import { parseRecipe } from './recipe.ts';

const base = { id: 'base', name: 'Base', config: { model: { block_size: 64 } } };
const stage = (id: string, settings: object, more: object = {}) => ({
  id,
  name: id,
  parent: 'base',
  stage: settings,
  ...more,
});
const reward = stage('judge', { objective: 'reward' });
/** PPO from `base`, scored by a reward model that was trained from another base. */
const scoredBy = (config: object): object[] => [
  base,
  { ...base, id: 'other', config },
  { ...reward, parent: 'other' },
  stage('ppo', { objective: 'ppo' }, { reward_model: 'judge' }),
];
const chain = (...stages: object[]) => ({ name: 'Chain', stages });

/** What the page says of a chain. */
function refusal(value: unknown): string {
  try {
    parseRecipe(value);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return '';
}

describe('a chain that cannot be read is refused in a sentence', () => {
  const cases: [string, unknown, string][] = [
    ['that is a number', 3, 'the file is 3, not Object'],
    ['without stages', { name: 'x' }, 'stages is missing'],
    ['of no stage', chain(), 'stages is empty'],
    ['without a name', { name: '', stages: [base] }, 'name is empty'],
    [
      'with a name that is too long',
      chain({ ...base, name: 'x'.repeat(500) }),
      'name of stage 1 is too long, 500 where at most 80 fit',
    ],
    [
      'with weights that there are not',
      chain(base, { ...reward, weights: 'worst' }),
      'weights of stage 2 is "worst", not ("last" | "best")',
    ],
    ['with a key of its own', chain({ ...base, colour: 1 }), 'colour of stage 1 is unknown'],
    [
      'whose parent comes later',
      chain(reward, base),
      'its stage judge needs base, which does not come before it',
    ],
  ];
  it.each(cases)('%s', (_, value, message) => {
    expect(refusal(value)).toBe(`This is not a chain of stages: ${message}.`);
  });

  it('with settings that a stage does not have', () => {
    const odd = stage('grpo', { objective: 'grpo', dataset: { task: 'nope' } });
    expect(refusal(chain(base, odd))).toBe(
      'The settings of the stage cannot be read: dataset.task is "nope", not ' +
        '("tales" | "arithmetic" | "strings" | "definitions" | "own").',
    );
  });
});

describe('a chain is refused before it trains if a later stage could not begin', () => {
  const cases: [string, object[], string][] = [
    [
      'PPO without a reward model',
      [base, stage('ppo', { objective: 'ppo' })],
      'The stage ppo of this chain could not begin: PPO needs a reward model that scores answers.',
    ],
    [
      'a stage from a reward model',
      [base, reward, { ...stage('sft', {}), parent: 'judge' }],
      'The stage sft of this chain could not begin: a reward model scores answers and cannot write any.',
    ],
    [
      'examples of a file',
      [base, stage('sft', { dataset: { task: 'own' } })],
      'The stage sft of this chain could not begin: it learns from the examples of a file, and a chain has no files.',
    ],
    [
      'votes alone',
      [base, stage('dpo', { objective: 'dpo', dataset: { votes: 'only' } })],
      'The stage dpo of this chain could not begin: there are 0 votes on answers of this model.',
    ],
    [
      'answers as long as the context of the base',
      [base, stage('grpo', { objective: 'grpo', grpo: { max_completion_length: 64 } })],
      'The stage grpo of this chain could not begin: the context of the model has 64 tokens, too few ' +
        'for a prompt and an answer of 64.',
    ],
    [
      'a reward model of another size',
      scoredBy({ model: { block_size: 64, n_layer: 2 } }),
      'The stage ppo of this chain could not begin: the reward model “judge” has n_layer 2, and ' +
        '“Base” has 4.',
    ],
    [
      'a reward model of another tokenizer',
      scoredBy({ model: { block_size: 64 }, data: { corpus: 'arithmetic' } }),
      'The stage ppo of this chain could not begin: the reward model “judge” has another tokenizer ' +
        'than “Base”.',
    ],
    [
      'a reward model that is none',
      [base, stage('ppo', { objective: 'ppo' }, { reward_model: 'base' })],
      'The stage ppo of this chain could not begin: “Base” is no reward model.',
    ],
  ];
  it.each(cases)('%s', (_, stages, message) => {
    expect(refusal(chain(...stages))).toBe(message);
  });
});

it('a reward model of another base with the same sizes and tokenizer scores a chain', () => {
  expect(parseRecipe(chain(...scoredBy(base.config))).stages).toHaveLength(4);
});

it('the chains of the page and those that are measured can begin', () => {
  for (const one of CHAINS) expect(recipeOf(one).stages.length).toBeGreaterThan(1);
  for (const name of ['sums', 'tales', 'lora']) {
    const text = readFileSync(`bench/alignment/${name}.json`, 'utf8');
    expect(parseRecipe(JSON.parse(text)).stages.length).toBeGreaterThan(1);
  }
});
