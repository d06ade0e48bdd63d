/** How a stage after pretraining begins: from the weights and the tokenizer of its parent. */
import { type OpenRun, type ReadState, tokenizerBytes } from '../checkpoint/index.ts';
import type { Vote } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import {
  parseStage,
  type RatedModel,
  rewardModelProblem,
  type StageConfig,
} from '../config/stage/index.ts';
import { chatFormat } from '../data/conversations/index.ts';
import { importTokenizer, type Tokenizer } from '../data/index.ts';
import { withVocabulary } from '../model/grow.ts';
import { listParameters } from '../model/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { StartCommand } from '../protocol/index.ts';
import type { ObjectiveTensor } from '../train/index.ts';
import { type BeginContext, type Beginning, lineageOf, requireObjective } from './beginning.ts';
import { requireFloat16Range } from './float16_range.ts';
import { loadParent, type ParentState } from './parent.ts';
import { BadParent } from './plain_errors.ts';
import { allSettled, closingOnFailure, markDone } from './promises.ts';
import { ifStorageAllows } from './restored.ts';
import type { StartingPoint } from './run_parts.ts';
import { settleAndTell, settledStage } from './settle_on_device.ts';
import { specialTokens } from './stage_source.ts';
import type { PreparedText, StageSource } from './prepared_text.ts';

type StageCommand = StartCommand & { stage: StageConfig };

/** What a stage begins from, before its examples are prepared. */
export interface StageOrigin {
  objective: Objective;
  /** The requested configuration with the parent's model and tokenizer. */
  config: RunConfig;
  parent: ParentState;
  reward: ReadState | null;
  votes: readonly Vote[];
  source: StageSource;
  tokenizer: Tokenizer;
}

/** Throws BadParent, DataError, ConfigError and what `loadParent` throws. */
export async function readStageOrigin(
  context: BeginContext,
  command: Pick<StageCommand, 'stage' | 'config' | 'parent' | 'reward_model'>,
): Promise<StageOrigin> {
  const stage = parseStage(command.stage);
  const objective = await requireObjective(context, stage.objective);
  const parent = await loadParent(context, command.parent ?? noParent());
  const tokenizer = await importTokenizer(parent.state.tokenizer);
  const reward = command.reward_model
    ? await loadRewardModel(context, command.reward_model, { ...parent, tokenizer })
    : null;
  if (needsRewardModel(stage) && !reward) throw noRewardModel();
  const votes = stage.dataset.votes === 'none' ? [] : await votesOf(context, command.parent);
  const config = stageConfig(command.config, parent.state);
  const source: StageSource = {
    config: stage,
    needs: objective.data,
    chat_template: parent.state.chat_template ?? null,
    special: specialTokens(parent.state),
    block_size: parent.state.model.block_size,
    votes,
    parent_run: parent.parent.kind === 'run' ? parent.parent.run : null,
  };
  return { objective, config, parent, reward, votes, source, tokenizer };
}

/** A stage at step 0. Throws BadParent, DataError, ConfigError and what `loadParent` throws. */
export async function newStage(context: BeginContext, command: StageCommand): Promise<Beginning> {
  const { run: id, name, recipe } = command;
  const origin = await readStageOrigin(context, command);
  const { objective, config, parent, votes, source: stage, tokenizer } = origin;
  const own = command.dataset ?? null;
  const [device, text, store] = await allSettled([
    markDone(context.device.open(config.runtime.backend), () => context.mark('device')),
    markDone(context.prepareText(config, { text: own, tokenizer, stage }), () =>
      context.mark('prepared'),
    ),
    context.storage(),
  ]);
  const vocab_size = vocabularyOf(origin, text);
  const settled = await settleAndTell(config, { text, vocab_size, device }, context);
  const start = stageStart(origin, vocab_size);
  if (text.stage && (await settledStage(text.stage, device, context.services)).dtype === 'float16')
    requireFloat16Range(origin, text.stage, settled, start);
  const lineage = lineageOf(objective, text, parent);
  // As a checkpoint counts them: the plan's own number includes references and reward models.
  const n_params = settled.plan.parameters.total;
  const storage = await store.create({ id, name, config, n_params, lineage });
  return closingOnFailure(storage, async () => {
    if (text.text) await storage.saveText(text.text);
    if (recipe) await ifStorageAllows(() => storage.saveRecipe(recipe));
    await ifStorageAllows(() => keepVotes(storage, votes));
    context.mark('stored');
    return {
      parts: { id, name, adapter: device.adapter, settled, objective, lineage, text, storage },
      start: { from: start, stored: false, paused: command.paused ?? false },
    };
  });
}

/** The parent's vocabulary, and the tokens that the stage adds to it. */
export const vocabularyOf = ({ parent }: StageOrigin, { tokenizer }: PreparedText): number =>
  Math.max(parent.state.model.vocab_size, tokenizer.vocab_size);

/** What the user thinks of the parent's answers. Files have no votes. */
async function votesOf(
  context: BeginContext,
  parent: StartCommand['parent'],
): Promise<readonly Vote[]> {
  if (!parent || 'files' in parent) return [];
  const file = await (await context.storage()).records.votes(parent.run);
  return (await file.read()).records;
}

/** The parent may get more votes, and the stage resumes with those that it began with. */
export async function keepVotes({ id, record }: OpenRun, votes: readonly Vote[]): Promise<void> {
  const file = await record.records.trainingVotes(id);
  file.add(votes);
  await file.flush();
}

/** The requested configuration with the parent's model and tokenizer; dropout may differ. */
function stageConfig(requested: RunConfig, { config }: ReadState): RunConfig {
  const { dropout } = requested.model;
  return { ...requested, model: { ...config.model, dropout }, tokenizer: config.tokenizer };
}

/** The parent's weights at step 0, with rows for the tokens that the stage adds. */
export function stageStart(
  { parent: { state }, reward, config }: StageOrigin,
  vocab_size: number,
): StartingPoint {
  const { seed } = config.training;
  const parameters = withVocabulary(state.parameters, state.model, { vocab_size, seed });
  const objective_tensors = reward ? rewardTensors(reward) : new Map<string, ObjectiveTensor>();
  return {
    state: { parameters, objective_tensors, optimizer: new Map(), step: 0, tokens: 0 },
    elapsed_seconds: 0,
    best_val_loss: null,
  };
}

/** The reward model, frozen under `reward.`, and the value model that starts as a copy of it. */
function rewardTensors({ model, parameters, objective_tensors }: ReadState) {
  const tensors = new Map<string, ObjectiveTensor>();
  const add = (name: string, tensor: ObjectiveTensor): void => {
    tensors.set(`reward.${name}`, tensor);
    tensors.set(`value.${name}`, tensor);
  };
  for (const { name, shape } of listParameters(model)) {
    const data = parameters.get(name);
    if (data) add(name, { shape, data });
  }
  const score = objective_tensors.get('score.weight');
  if (score) add('score.weight', score);
  return tensors;
}

/** Reads the reward model of a PPO run. Throws BadParent unless it can score the policy's answers. */
async function loadRewardModel(
  context: BeginContext,
  source: { run: string },
  policy: ParentState & { tokenizer: Tokenizer },
): Promise<ReadState> {
  const reward = await loadParent(context, source);
  const { tokenizer, vocab_size } = tokenizerOfStage(policy);
  const isSame =
    sameBytes(reward.state.tokenizer, tokenizer) && reward.state.model.vocab_size === vocab_size;
  const problem = rewardModelProblem(rated(reward), rated(policy), isSame);
  if (problem) throw new BadParent(problem.field, problem.message, problem.hint);
  return reward.state;
}

const rated = ({ parent: { name }, state }: ParentState): RatedModel => ({
  name,
  objective: state.objective_tensors.has('score.weight') ? 'reward' : state.lineage.objective,
  model: state.model,
});

/** The policy's tokenizer.json with the tokens that a stage adds, which reward models have too. */
function tokenizerOfStage({ state, tokenizer }: ParentState & { tokenizer: Tokenizer }) {
  const { chat_template = null, model } = state;
  const chat = chatFormat(tokenizer, chat_template, specialTokens(state));
  return {
    tokenizer: tokenizerBytes(chat.tokenizer),
    vocab_size: Math.max(model.vocab_size, chat.tokenizer.vocab_size),
  };
}

const needsRewardModel = ({ objective, ppo }: StageConfig): boolean =>
  objective === 'ppo' && ppo.score === 'reward_model';

const noRewardModel = (): BadParent =>
  new BadParent(
    'reward_model',
    'PPO has no reward model to score the answers.',
    'Choose a reward model, or let code score the answers (ppo.score: task).',
  );

function noParent(): never {
  throw new BadParent(
    'parent',
    'A stage needs a model to start from.',
    'Choose a saved run or open a model folder.',
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
