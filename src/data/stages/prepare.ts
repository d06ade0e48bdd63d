/** Makes the data of a stage: examples, pairs or prompts, encoded and no longer than the context. */
import type { Vote } from '../../common/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import { chatFormat, type ChatTokens } from '../conversations/index.ts';
import { DataError } from '../errors.ts';
import type { Tokenizer } from '../types.ts';
import { encodeExamples, encodePairs, encodePrompts, type Encoding } from './encode.ts';
import type { OwnFile } from './json_lines.ts';
import { ownData } from './own_data.ts';
import { NO_RAW_DATA, type Needs, type RawData } from './raw_data.ts';
import { taskData } from './task_data.ts';
import type { EncodedExample, EncodedPair, EncodedPrompt, Sides, StageData } from './types.ts';
import { votedPairs } from './votes.ts';

export interface PrepareStageOptions {
  stage: StageConfig;
  needs: Needs;
  /** The parent's tokenizer; the stage's, in `chat`, may have more tokens. */
  tokenizer: Tokenizer;
  /** The parent's template; without one, ours. */
  chat_template?: string | null;
  /** Special tokens of a brought model. */
  tokens?: ChatTokens;
  /** The context of the model, in tokens. */
  block_size: number;
  /** A .jsonl file, for the task `own`. */
  own?: OwnFile;
  votes?: readonly Vote[];
  /** The run that the stage starts from, whose answers a file of votes must be about. */
  parent_run?: string | null;
}

/** Rows are as long as a multiple of this, which the kernels' tiles divide. */
const ROW_MULTIPLE = 8;

/** @throws DataError */
export async function prepareStage(options: PrepareStageOptions): Promise<StageData> {
  const { stage, needs, tokenizer, chat_template = null, block_size } = options;
  const chat = chatFormat(tokenizer, chat_template, options.tokens);
  const raw = withVotes(await rawData(options), options);
  const notes: string[] = [...raw.notes];
  const name = options.own?.name ?? null;
  const encoding: Encoding = { chat, block_size, name, notes };
  const { completion_only_loss } = stage.sft;
  const examples = encodeExamples(raw.examples, completion_only_loss, encoding);
  const pairs = encodePairs(raw.pairs, encoding);
  const prompts = encodePrompts(raw.prompts, needs === 'prompts', encoding);
  const data: Record<Needs, Sides<unknown>> = { examples, pairs, prompts };
  if (data[needs].train.length === 0) throw nothingToLearn(needs, notes);
  const longest = longestRow({ examples, pairs, prompts }, stage, needs);
  const row_length = Math.min(block_size, Math.ceil(longest / ROW_MULTIPLE) * ROW_MULTIPLE);
  const { rewards, true_reward } = raw;
  return { chat, examples, pairs, prompts, rewards, true_reward, row_length, notes };
}

function rawData(options: PrepareStageOptions): Promise<RawData> {
  const { stage, needs, own, votes = [], parent_run = null } = options;
  const { dataset } = stage;
  const { task } = dataset;
  if (task !== 'own') return taskData(task, needs, dataset);
  if (own) return Promise.resolve(ownData(own, needs, { dataset, parent_run }));
  const votesSuffice = needs === 'pairs' && dataset.votes === 'only' && votes.length > 0;
  return votesSuffice ? Promise.resolve(NO_RAW_DATA) : Promise.reject(noFile());
}

const noFile = (): DataError =>
  new DataError(
    'no_examples',
    'There is no file with examples.',
    'Open a .jsonl file, or choose a task whose examples are generated.',
  );

/** Adds the votes to the pairs, or puts them in their place. Held-out pairs stay as they are. */
function withVotes(raw: RawData, { stage, needs, votes = [] }: PrepareStageOptions): RawData {
  const { votes: use } = stage.dataset;
  if (needs !== 'pairs' || use === 'none') return raw;
  const voted = votedPairs(votes);
  if (use === 'only' && voted.length === 0) throw noVotes();
  const { val } = raw.pairs;
  const train = use === 'only' ? voted : [...raw.pairs.train, ...voted];
  const unused = votes.length - voted.length;
  const note = `Votes for neither answer or between equal ones, left out: ${unused} of ${votes.length}.`;
  const notes = unused > 0 ? [...raw.notes, note] : raw.notes;
  return { ...raw, pairs: { train, val }, notes };
}

const noVotes = (): DataError =>
  new DataError(
    'no_examples',
    'There is no vote for one of two answers yet.',
    'Vote on pairs of answers first, or train on generated pairs too.',
  );

function nothingToLearn(needs: Needs, notes: readonly string[]): DataError {
  const message = `No ${needs} are left to train on.`;
  const reason = notes.join(' ') || 'Choose a larger size or another dataset.';
  return new DataError('no_examples', message, reason);
}

interface Encoded {
  examples: Sides<EncodedExample>;
  pairs: Sides<EncodedPair>;
  prompts: Sides<EncodedPrompt>;
}

/** Tokens of the longest row, with the answer that follows a prompt. Packing fills the context. */
function longestRow({ examples, pairs, prompts }: Encoded, stage: StageConfig, needs: Needs) {
  switch (needs) {
    case 'examples':
      if (stage.sft.packing) return Infinity;
      return longest(examples, ({ ids }) => ids.length);
    case 'pairs':
      return longest(pairs, ({ chosen, rejected }) =>
        Math.max(chosen.ids.length, rejected.ids.length),
      );
    case 'prompts':
      return longest(prompts, ({ ids }) => ids.length) + answerLength(stage);
    default:
      return needs satisfies never;
  }
}

const answerLength = ({ objective, ppo, grpo }: StageConfig): number =>
  objective === 'ppo' ? ppo.response_length : grpo.max_completion_length;

const longest = <T>({ train, val }: Sides<T>, length: (item: T) => number): number =>
  [...train, ...val].reduce((most, item) => Math.max(most, length(item)), 0);
