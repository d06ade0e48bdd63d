import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../schema.ts';
import {
  changedStageFields,
  checkStage,
  defaultStage,
  getStageField,
  isStageValue,
  parseStage,
  stageDefaults,
  stageFields,
  stageLabel,
  stageRange,
  STAGE_OBJECTIVES,
  withStageField,
} from './index.ts';

describe('fields of a stage', () => {
  it('have the range of the schema and accept their own default', () => {
    expect(stageRange('grpo.num_generations')).toEqual({
      kind: 'number',
      integer: true,
      min: 2,
      max: 64,
      default: 8,
    });
    const stage = defaultStage();
    for (const path of stageFields()) {
      expect(getStageField(stage, path)).toBe(stageRange(path).default);
      expect(isStageValue(path, getStageField(stage, path))).toBe(true);
    }
  });
  it('have a label with a name for each option', () => {
    for (const path of stageFields()) {
      const range = stageRange(path);
      const { name, does, names } = stageLabel(path);
      expect([name, does].every((text) => text.length > 0)).toBe(true);
      if (range.kind === 'choice') expect(Object.keys(names ?? {})).toEqual([...range.options]);
    }
  });
  it('change one at a time, and refuse what the schema refuses', () => {
    const stage = withStageField(defaultStage(), 'dpo.beta', 0.3);
    expect(changedStageFields(stage, defaultStage())).toEqual(['dpo.beta']);
    expect(parseStage(stage)).toEqual(stage);
    expect(isStageValue('grpo.num_generations', 1)).toBe(false);
    expect(isStageValue('dpo.loss_type', 'nope')).toBe(false);
  });
});

describe('defaults of a stage', () => {
  it('are larger steps for an adapter than for all weights', () => {
    for (const objective of STAGE_OBJECTIVES) {
      const full = stageDefaults(objective, defaultConfig());
      const lora = stageDefaults(objective, defaultConfig(), 'lora');
      expect(lora.learning_rate).toBeGreaterThan(full.learning_rate ?? 0);
    }
  });
  it('are the learning rates of TRL for a large model', () => {
    const config = defaultConfig();
    const large = { ...config, model: { ...config.model, n_layer: 30, n_embd: 576 } };
    expect(stageDefaults('grpo', large).learning_rate).toBe(1e-6);
    expect(stageDefaults('sft', large).learning_rate).toBe(2e-5);
  });
});

describe('problems of a stage', () => {
  const parent = defaultConfig();
  const fieldsOf = (change: object, facts = {}) =>
    checkStage(parseStage(change), { parent, ...facts }).map(({ field }) => field);

  it('are none with the defaults', () => {
    expect(fieldsOf({ objective: 'grpo' })).toEqual([]);
  });
  it('name the field that is wrong', () => {
    expect(checkStage(defaultStage(), { parent: null })[0]?.field).toBe('parent');
    expect(fieldsOf({ objective: 'ppo' }, { has_reward_model: false })).toEqual(['reward_model']);
    expect(fieldsOf({ objective: 'grpo', rewards: { correct: 0 } })).toEqual(['rewards.correct']);
    expect(fieldsOf({ objective: 'grpo', grpo: { max_completion_length: 1000 } })).toEqual([
      'grpo.max_completion_length',
    ]);
    expect(fieldsOf({ dataset: { task: 'own' } }, { has_file: false })).toEqual(['file']);
    expect(fieldsOf({ objective: 'dpo', dataset: { votes: 'only' } }, { votes: 1 })).toEqual([
      'dataset.votes',
    ]);
  });
  it('are solved by the fix that they offer', () => {
    const stage = parseStage({ objective: 'dpo', dataset: { task: 'arithmetic' } });
    const [problem] = checkStage(stage, { parent });
    expect(problem?.field).toBe('dataset.preference');
    const { fix } = problem ?? {};
    expect(fix && checkStage(withStageField(stage, fix.field, fix.value), { parent })).toEqual([]);
  });
});
