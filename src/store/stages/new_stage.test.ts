import { beforeEach, describe, expect, it } from 'vitest';
import { savedStages } from '../../testing/fake_stages.ts';
import {
  beginStage,
  chooseObjective,
  chooseRewardModel,
  createNewStage,
  problemsOf,
  setStageField,
  setTrainingField,
  type NewStageStore,
} from './new_stage.ts';

const RUNS = savedStages();
const record = (id: string) => {
  const found = RUNS.find(({ run }) => run === id);
  if (!found) throw new Error(`There is no run ${id}.`);
  return found;
};

let form: NewStageStore;
beforeEach(() => {
  form = createNewStage();
});

describe('the form of a new stage', () => {
  it('suggests what comes next, about the task of the parent', () => {
    beginStage(form, record('base'));
    expect(form.getState().stage).toMatchObject({ objective: 'sft', dataset: { task: 'tales' } });
    beginStage(form, record('sft'));
    expect(form.getState().stage.objective).toBe('dpo');
  });
  it('trains the model of the parent with the settings of the objective', () => {
    beginStage(form, record('sft'), 'grpo');
    const { config } = form.getState();
    expect(config?.model).toEqual(record('sft').config.model);
    expect(config?.training).toMatchObject({ max_iters: 200, lr_schedule: 'constant' });
  });
  it('keeps the data set when the objective changes', () => {
    beginStage(form, record('sft'), 'dpo');
    setStageField(form, 'dataset.size', 555);
    chooseObjective(form, record('sft'), 'reward');
    expect(form.getState().stage).toMatchObject({ objective: 'reward', dataset: { size: 555 } });
  });
  it('prefers answers in a way that the task has pairs for', () => {
    beginStage(form, record('sft'), 'dpo');
    setStageField(form, 'dataset.task', 'arithmetic');
    expect(form.getState().stage.dataset.preference).toBe('correct');
    expect(problemsOf(form.getState(), RUNS)).toEqual([]);
  });
  it('raises the learning rate for an adapter, unless it was set by hand', () => {
    const rate = () => form.getState().config?.training.learning_rate ?? NaN;
    beginStage(form, record('base'), 'sft');
    const full = rate();
    setStageField(form, 'peft.peft_type', 'lora');
    expect(rate()).toBeGreaterThan(full);
    setTrainingField(form, 'training.learning_rate', 0.123);
    setStageField(form, 'peft.peft_type', 'none');
    expect(rate()).toBe(0.123);
  });
  it('allows answers of half the context, so that a short context is no problem', () => {
    const sft = record('sft');
    const short = {
      ...sft,
      config: { ...sft.config, model: { ...sft.config.model, block_size: 32 } },
    };
    beginStage(form, short, 'grpo');
    expect(form.getState().stage.grpo.max_completion_length).toBe(16);
    expect(problemsOf(form.getState(), [short])).toEqual([]);
  });
  it('refuses values that the schema refuses', () => {
    expect(setStageField(form, 'dpo.beta', -1)).toBe(false);
    expect(form.getState().stage.dpo.beta).toBe(0.1);
  });
  it('needs a reward model for PPO, and takes over what that was trained on', () => {
    beginStage(form, record('sft'), 'ppo');
    expect(problemsOf(form.getState(), RUNS).map(({ field }) => field)).toEqual(['reward_model']);
    chooseRewardModel(form, record('reward'));
    expect(problemsOf(form.getState(), RUNS)).toEqual([]);
    expect(form.getState().stage.dataset.preference).toBe('constraint');
  });
  it('has no parent that was deleted', () => {
    beginStage(form, record('sft'), 'dpo');
    const [problem] = problemsOf(form.getState(), []);
    expect(problem?.field).toBe('parent');
  });
});
