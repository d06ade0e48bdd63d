/** The form of a new stage: its parent, what it learns, and how; and the run that it starts. */
import { createStore } from 'zustand/vanilla';
import { withField, type FieldPath, type FieldValue, type RunConfig } from '../../config/index.ts';
import {
  answerLength,
  checkStage,
  defaultStage,
  isStageValue,
  preferencesOf,
  stageDefaults,
  withStageField,
  type StageConfig,
  type StageFieldPath,
  type StageFieldValue,
  type StageObjective,
  type StageProblem,
} from '../../config/stage/index.ts';
import type { OwnText, PlainError, RunRecord } from '../../protocol/index.ts';
import { misfit, rewardModels } from './reward_models.ts';

export interface NewStageState {
  /** Id of the run whose weights it starts from; null while none is chosen. */
  parent: string | null;
  stage: StageConfig;
  /** What changes are measured against: the defaults for this parent and objective. */
  base: StageConfig;
  /** The run's configuration: the parent's with the training settings of the stage. */
  config: RunConfig | null;
  baseConfig: RunConfig | null;
  /** Id of the run that scores answers (PPO). */
  rewardModel: string | null;
  /** The .jsonl file that the user opened. */
  file: OwnText | null;
  /** What the user typed; '' takes a name made from parent and objective. */
  name: string;
  /** Why the stage could not begin when it was last started; null once the form has changed. */
  failure: PlainError | null;
}

export function createNewStage() {
  const form = createStore<NewStageState>(() => ({
    parent: null,
    stage: defaultStage(),
    base: defaultStage(),
    config: null,
    baseConfig: null,
    rewardModel: null,
    file: null,
    name: '',
    failure: null,
  }));
  form.subscribe((now, before) => {
    if (now.failure && now.failure === before.failure) form.setState({ failure: null });
  });
  return form;
}
export type NewStageStore = ReturnType<typeof createNewStage>;

const FILE_ERRORS: ReadonlySet<string> = new Set([
  'bad_example',
  'malformed_line',
  'no_examples',
  'text_not_utf8',
  'text_too_large',
]);

/** Whether an error is one of the examples of a file, beside which it is then shown. */
export const isOfFile = ({ code }: PlainError): boolean => FILE_ERRORS.has(code);

/** The form of this page. */
export const newStage = createNewStage();

/** What comes after each objective, as a first suggestion. */
const NEXT: Readonly<Record<string, StageObjective>> = {
  pretrain: 'sft',
  sft: 'dpo',
  dpo: 'grpo',
  reward: 'sft',
  ppo: 'grpo',
  grpo: 'grpo',
};

/** Fills the form for a parent; what the user had chosen for another parent is dropped. */
export function beginStage(
  form: NewStageStore,
  parent: RunRecord,
  objective: StageObjective = NEXT[parent.lineage.objective] ?? 'sft',
): void {
  const stage = stageFrom(parent, objective);
  form.setState({ parent: parent.run, stage, base: stage, rewardModel: null, name: '' });
  takeTraining(form, parent.config);
}

/** Fills the form with the settings of a stage that was trained before, to be changed. */
export function repeatStage(
  form: NewStageStore,
  parent: RunRecord,
  { stage, config }: { stage: StageConfig; config: RunConfig },
): void {
  beginStage(form, parent, stage.objective);
  const { config: defaults } = form.getState();
  if (!defaults) return;
  const { training, sampling } = config;
  form.setState({ stage, config: { ...defaults, training, sampling } });
}

/** Leaves the data set as it is chosen, and takes the training defaults of the objective. */
export function chooseObjective(
  form: NewStageStore,
  parent: RunRecord,
  objective: StageObjective,
): void {
  const { stage, base } = form.getState();
  form.setState({ stage: { ...stage, objective }, base: { ...base, objective } });
  takeTraining(form, parent.config);
}

/** The defaults of a stage, about the task that the parent has learned. */
function stageFrom({ config, stage }: RunRecord, objective: StageObjective): StageConfig {
  const fresh = fittingContext({ ...defaultStage(), objective }, config);
  const { dataset } = fresh;
  if (stage) {
    const { task, seed, ask, format, digits, preference } = stage.dataset;
    const learned = { ...dataset, task, seed, ask, format, digits, preference };
    return { ...fresh, dataset: withItsPreference(learned) };
  }
  const isArithmetic = config.data.corpus === 'arithmetic';
  const task = isArithmetic ? 'arithmetic' : 'tales';
  return { ...fresh, dataset: withItsPreference({ ...dataset, task }) };
}

/** A preference that the task has pairs for: the chosen one, or the task's first. */
function withItsPreference(dataset: StageConfig['dataset']): StageConfig['dataset'] {
  const possible = preferencesOf(dataset.task);
  const [first] = possible;
  if (!first || possible.includes(dataset.preference)) return dataset;
  return { ...dataset, preference: first };
}

/** Answers of at most half the context, so that prompts have room. */
function fittingContext(stage: StageConfig, { model }: RunConfig): StageConfig {
  const most = Math.max(1, Math.floor(model.block_size / 2));
  const { ppo, grpo } = stage;
  return {
    ...stage,
    ppo: { ...ppo, response_length: Math.min(ppo.response_length, most) },
    grpo: { ...grpo, max_completion_length: Math.min(grpo.max_completion_length, most) },
  };
}

function takeTraining(form: NewStageStore, parent: RunConfig): void {
  const { stage } = form.getState();
  const changes = stageDefaults(stage.objective, parent, stage.peft.peft_type);
  const training = { ...parent.training, ...changes };
  const sampling = {
    ...parent.sampling,
    // A reward model scores answers and writes none.
    sample_interval: stage.objective === 'reward' ? 0 : training.eval_interval,
    max_new_tokens: shownAnswer(stage, parent),
    // The likeliest answer: what changes from sample to sample is then the model alone.
    temperature: 0,
  };
  const config = { ...parent, training, sampling };
  form.setState({ config, baseConfig: config });
}

/** Tokens of the answers that are shown while a stage trains, where it samples none of its own. */
const SHOWN_ANSWER = 48;

function shownAnswer(stage: StageConfig, { model }: RunConfig): number {
  const length = answerLength(stage) ?? SHOWN_ANSWER;
  return Math.max(1, Math.min(length, Math.floor(model.block_size / 2)));
}

/** Sets one field of the stage. Returns false, and changes nothing, if the schema refuses it. */
export function setStageField(
  form: NewStageStore,
  path: StageFieldPath,
  value: StageFieldValue,
): boolean {
  if (!isStageValue(path, value)) return false;
  const changed = withStageField(form.getState().stage, path, value);
  const isTask = path === 'dataset.task';
  form.setState({
    stage: isTask ? { ...changed, dataset: withItsPreference(changed.dataset) } : changed,
  });
  // The method decides the learning rate.
  if (path === 'peft.peft_type') followMethod(form);
  return true;
}

/** Another method takes its own learning rates, unless the user has set one. */
function followMethod(form: NewStageStore): void {
  const { stage, config, baseConfig } = form.getState();
  if (!config || !baseConfig) return;
  const defaults = stageDefaults(stage.objective, config, stage.peft.peft_type);
  const { learning_rate = 0, min_lr = 0 } = defaults;
  const isUntouched = config.training.learning_rate === baseConfig.training.learning_rate;
  const rates = { learning_rate, min_lr };
  const base = { ...baseConfig, training: { ...baseConfig.training, ...rates } };
  const next = isUntouched ? { ...config, training: { ...config.training, ...rates } } : config;
  form.setState({ config: next, baseConfig: base });
}

export function setTrainingField(form: NewStageStore, path: FieldPath, value: FieldValue): boolean {
  const { config } = form.getState();
  if (!config) return false;
  form.setState({ config: withField(config, path, value) });
  return true;
}

/** The reward model, and the preference that it was trained on, which is what can be measured. */
export function chooseRewardModel(form: NewStageStore, model: RunRecord | null): void {
  const { stage } = form.getState();
  const learned = model?.stage?.dataset;
  form.setState({ rewardModel: model?.run ?? null });
  if (!learned) return;
  const { task, seed, format, digits, preference } = learned;
  // Only stories have constraints to keep.
  const ask = preference === 'constraint' ? 'stories' : stage.dataset.ask;
  const dataset = { ...stage.dataset, task, seed, ask, format, digits, preference };
  form.setState({ stage: { ...stage, dataset } });
}

export function problemsOf(
  state: NewStageState,
  runs: readonly RunRecord[],
): readonly StageProblem[] {
  const parent = runs.find(({ run }) => run === state.parent);
  const scorers = parent ? rewardModels(runs, parent) : [];
  const scorer = scorers.find(({ run }) => run === state.rewardModel);
  return checkStage(state.stage, {
    parent: parent?.config ?? null,
    parent_objective: parent?.lineage.objective,
    has_reward_model: scorer !== undefined,
    reward_model_problem: parent && scorer ? misfit(runs, scorer, parent) : null,
    has_file: state.file !== null,
    votes: parent?.votes ?? 0,
  });
}
