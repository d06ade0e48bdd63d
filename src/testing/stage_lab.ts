/**
 * Chains of stages without page, worker and storage, for tests of learning and for pilots: on the
 * engine in Node (`useBuildsFromFiles`), or on any backend that has been started.
 */
import type { MetricRow, RolloutRecord } from '../common/index.ts';
import {
  defaultConfig,
  type ResolvedModel,
  resolveModel,
  type RunConfig,
} from '../config/index.ts';
import { parseStage, type StageConfig, type StageInput } from '../config/stage/index.ts';
import {
  loadCorpus,
  makeSplit,
  makeTokenizer,
  makeTokenSplit,
  bytesPerToken,
  type StageData,
  type Tokenizer,
} from '../data/index.ts';
import { prepareStage } from '../data/stages/prepare.ts';
import { loraScale } from '../model/adapter_parameters.ts';
import { withVocabulary } from '../model/grow.ts';
import { isAdapterTensor, listParameters } from '../model/index.ts';
import { mergeAdapters } from '../model/merge.ts';
import { findObjective, type Objective, pretrain } from '../objectives/index.ts';
import { type ObjectiveTensor, Trainer, type TrainerState } from '../train/index.ts';

/** A model after a stage. */
export interface LabModel {
  config: RunConfig;
  tokenizer: Tokenizer;
  vocab_size: number;
  chat_template: string | null;
  state: TrainerState;
}

/** What a stage measured: one row per evaluation, with the step's metrics of that step. */
export interface LabRun extends LabModel {
  rows: Partial<MetricRow>[];
  /** Metrics of every step. */
  steps: Partial<MetricRow>[];
  data: StageData | null;
  /** Seconds of training and evaluation. */
  seconds: number;
}

export type LabChanges = { [S in keyof RunConfig]?: Partial<RunConfig[S]> };

export function labConfig(changes: LabChanges, from = defaultConfig()): RunConfig {
  const config = structuredClone(from);
  for (const section of [
    'data',
    'tokenizer',
    'model',
    'training',
    'sampling',
    'runtime',
  ] as const) {
    Object.assign(config[section], changes[section]);
  }
  return config;
}

/** Pretrains a base model on the corpus of the configuration. */
export async function labBase(config: RunConfig): Promise<LabRun> {
  const corpus = await loadCorpus(config.data);
  const split = makeSplit(corpus, { val_fraction: config.data.val_fraction });
  const tokenizer = await makeTokenizer(config.tokenizer, split);
  const { vocab_size } = tokenizer;
  const options = {
    config,
    objective: pretrain,
    split: makeTokenSplit(split, tokenizer),
    vocab_size,
  };
  return {
    ...(await run(options)),
    config,
    tokenizer,
    vocab_size,
    chat_template: null,
    data: null,
  };
}

export interface LabStage {
  parent: LabModel;
  stage: StageInput;
  /** Training, sampling and dropout; model and tokenizer are the parent's. */
  changes?: LabChanges;
  /** PPO: the model whose reward scores, and which the value model starts from. */
  reward?: LabModel | undefined;
  /** Called with each evaluation's row as it is measured. */
  onRow?: (row: Partial<MetricRow>) => void;
  /** Called before each evaluation with the answers that were sampled since the last one. */
  onRollouts?: (records: readonly RolloutRecord[]) => void;
}

/** Trains a stage from its parent, as worker/stage.ts does. */
export async function labStage(options: LabStage): Promise<LabRun> {
  const prepared = await stageOptions(options);
  const trained = await run(prepared, options);
  const { config, vocab_size, data, stage } = prepared;
  const { tokenizer, chat_template } = data.chat;
  const state = withoutAdapters(trained.state, resolveModel(config.model, vocab_size), stage);
  return { ...trained, state, config, tokenizer, vocab_size, chat_template, data };
}

/** What the trainer of a stage is created with. */
export async function stageOptions(options: Omit<LabStage, 'onRow' | 'onRollouts'>) {
  const { parent, changes = {}, reward } = options;
  const stage = parseStage(options.stage);
  const objective = await findObjective(stage.objective);
  if (!objective || objective.data === 'text') throw new Error(`No stage ${stage.objective}.`);
  const config = labConfig(
    { ...changes, model: { dropout: changes.model?.dropout ?? 0 } },
    parent.config,
  );
  const { block_size } = config.model;
  const { tokenizer: before, chat_template } = parent;
  const prepared = { stage, needs: objective.data, tokenizer: before, chat_template, block_size };
  const data = await prepareStage(prepared);
  const { tokenizer } = data.chat;
  const vocab_size = Math.max(parent.vocab_size, tokenizer.vocab_size);
  const model = resolveModel(parent.config.model, parent.vocab_size);
  const { seed } = config.training;
  const parameters = withVocabulary(parent.state.parameters, model, { vocab_size, seed });
  const objective_tensors = reward ? rewardTensors(reward) : new Map<string, ObjectiveTensor>();
  const from = { parameters, objective_tensors, optimizer: new Map(), step: 0, tokens: 0 };
  const empty = new Int32Array(0);
  const split = { train: empty, val: empty, bytes_per_token: bytesPerToken(tokenizer) };
  return { config, objective, split, vocab_size, stage, data, from };
}

type RunOptions = Parameters<typeof Trainer.create>[0] & { objective: Objective };

/** What children start from: adapters are merged into the weights. */
function withoutAdapters(
  state: TrainerState,
  model: ResolvedModel,
  { peft }: StageConfig,
): TrainerState {
  const tensors = state.objective_tensors;
  if (peft.peft_type !== 'lora' || !tensors) return state;
  return {
    ...state,
    parameters: mergeAdapters(model, state.parameters, tensors, loraScale(peft)),
    objective_tensors: new Map([...tensors].filter(([name]) => !isAdapterTensor(name))),
  };
}

async function run(
  options: RunOptions,
  { onRow, onRollouts }: Pick<LabStage, 'onRow' | 'onRollouts'> = {},
) {
  const started = performance.now();
  const trainer = await Trainer.create(options);
  const rows: Partial<MetricRow>[] = [];
  const steps: Partial<MetricRow>[] = [];
  const { max_iters, eval_interval } = options.config.training;
  const evaluate = async (): Promise<void> => {
    steps.push(
      ...(await trainer.drain()).map(({ step, loss, metrics }) => ({ step, loss, ...metrics })),
    );
    onRollouts?.(trainer.takeRollouts());
    const { metrics } = await trainer.evaluate(() => Promise.resolve());
    rows.push({ ...steps.at(-1), step: trainer.step, ...metrics });
    onRow?.(rows.at(-1) ?? {});
  };
  try {
    while (trainer.step < max_iters) {
      if (trainer.step % eval_interval === 0) await evaluate();
      await trainer.takeStep();
      if (trainer.mustDrain) {
        const results = await trainer.drain();
        steps.push(...results.map(({ step, loss, metrics }) => ({ step, loss, ...metrics })));
      }
    }
    await evaluate();
    const state = await trainer.state({ moments: false });
    return { state, rows, steps, seconds: (performance.now() - started) / 1000 };
  } finally {
    trainer.dispose();
  }
}

/** The reward model under `reward.`, and the value model that starts as a copy of it. */
function rewardTensors({ config, vocab_size, state }: LabModel): Map<string, ObjectiveTensor> {
  const tensors = new Map<string, ObjectiveTensor>();
  const add = (name: string, tensor: ObjectiveTensor): void => {
    tensors.set(`reward.${name}`, tensor);
    tensors.set(`value.${name}`, tensor);
  };
  for (const { name, shape } of listParameters(resolveModel(config.model, vocab_size))) {
    const data = state.parameters.get(name);
    if (data) add(name, { shape, data });
  }
  const score = state.objective_tensors?.get('score.weight');
  if (score) add('score.weight', score);
  return tensors;
}
