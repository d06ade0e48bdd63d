/**
 * The data of a stage after pretraining: examples as people write them, in TRL's columns, and the
 * same encoded for the objective.
 */
import type { PreferenceExample, PromptExample, SftExample, Turns } from '../../common/index.ts';
import type { Tokenizer } from '../types.ts';

export type {
  Message,
  PreferenceExample,
  PromptExample,
  Role,
  SftExample,
  Turns,
} from '../../common/index.ts';

/** An answer as a model wrote it: without its end token. */
export interface Answer {
  text: string;
  /** It ended by itself, with the end token. */
  ended: boolean;
  /** Tokens, the end token included. */
  tokens: number;
  /** Tokens that it was allowed. */
  max_tokens: number;
}

/** A reward that code checks: a number for an answer to a prompt. Pure; never throws. */
export interface CheckedReward {
  name: string;
  /** One sentence for the page. */
  help: string;
  score(example: PromptExample, answer: Answer): number;
}

/** What training and evaluation get of something. */
export interface Sides<T> {
  train: readonly T[];
  val: readonly T[];
}

/** Tokens with what the loss counts: `mask` is 1 for tokens that are learned, [length of ids]. */
export interface EncodedExample {
  ids: Int32Array;
  mask: Uint8Array;
}

/** Both answers begin with the same prompt, whose mask is 0. */
export interface EncodedPair {
  chosen: EncodedExample;
  rejected: EncodedExample;
  /** 0 unless the dataset has margins. */
  margin: number;
  example: PreferenceExample;
}

/** A prompt as the model reads it, up to where the assistant begins. */
export interface EncodedPrompt {
  ids: Int32Array;
  example: PromptExample;
}

/** How conversations become tokens with one tokenizer. */
export interface ChatFormat {
  tokenizer: Tokenizer;
  /** Fills rows; another token than the end, so that the end is learned. */
  pad_token_id: number;
  /** Begins a text in the parent's template or files; null or undefined if nothing does. */
  bos_token_id?: number | null;
  /** Ends an assistant's turn or a completion, and is learned. */
  eos_token_id: number;
  /** The Jinja template, as `chat_template.jinja` has it. */
  chat_template: string;
  /** Encodes one example; prompts have mask 0 where `completion_only` is set. */
  encode(example: SftExample, completion_only: boolean): EncodedExample;
  /** A prompt up to where the answer begins (`add_generation_prompt`). */
  encodePrompt(prompt: Turns): Int32Array;
  /** A prompt and an answer with its end token; only the answer has mask 1. */
  encodeAnswer(prompt: Turns, answer: Turns): EncodedExample;
  /** The text of generated ids up to the first end token, and whether there was one. */
  answerOf(ids: ArrayLike<number>): { text: string; ended: boolean };
}

/** Everything that an objective after pretraining learns from. */
export interface StageData {
  chat: ChatFormat;
  /** For SFT; else empty. */
  examples: Sides<EncodedExample>;
  /** For the reward model and DPO; else empty. */
  pairs: Sides<EncodedPair>;
  /** For PPO and GRPO, and held-out prompts to show and evaluate; empty if the data has none. */
  prompts: Sides<EncodedPrompt>;
  /** By the names of the section `rewards`; empty if code cannot check the answers. */
  rewards: readonly CheckedReward[];
  /** The true reward of a generated preference, where it is known. */
  true_reward: CheckedReward | null;
  /** Longest row in tokens that training needs, answers included; at most the context. */
  row_length: number;
  /** Sentences on what was left out or changed. */
  notes: readonly string[];
}
