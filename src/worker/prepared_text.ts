/** What text is prepared from for a run, and what the run gets. */
import type { SplitVersion, Vote } from '../common/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { ChatTokens } from '../data/conversations/index.ts';
import type { MemorizationIndex, StageData, Tokenizer, TokenSplit } from '../data/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { DataSummary, OwnText } from '../protocol/index.ts';

export interface PreparedText {
  tokenizer: Tokenizer;
  tokens: TokenSplit;
  summary: DataSummary;
  separator: string;
  /** Documents are independent (names, verses), so samples are compared document by document. */
  by_document: boolean;
  /** The end-of-text token occurs in the training text, or an imported model may know it. */
  knows_end_of_text: boolean;
  memorized: MemorizationIndex;
  /** The user's own text (of a stage: their examples), as it was read. */
  text: OwnText | null;
  /** Of a stage after pretraining; `tokens` is empty then. */
  stage?: { config: StageConfig; data: StageData } | null;
}

/** What the configuration does not say: what the user supplied, or what a checkpoint has. */
export interface TextSources {
  text?: OwnText | null | undefined;
  /** A tokenizer.json that the user opened. */
  tokenizer_json?: string | undefined;
  /** A ready tokenizer: that of a checkpoint. */
  tokenizer?: Tokenizer | undefined;
  /** Of a saved run; the newest by default. */
  split_version?: SplitVersion | undefined;
  /** A stage after pretraining: its examples are prepared instead of the corpus. */
  stage?: StageSource | undefined;
}

/** What the examples of a stage are made from, beside the tokenizer. */
export interface StageSource {
  config: StageConfig;
  needs: Objective['data'];
  /** Of the parent; null for a model without one. */
  chat_template: string | null;
  /** Special tokens of the parent's files. */
  special: ChatTokens;
  block_size: number;
  votes: readonly Vote[];
  /** The run whose answers a file of votes must be about; null or undefined for any. */
  parent_run?: string | null;
}

export interface PrepareOptions extends TextSources {
  signal: AbortSignal;
  /** `share` is null where it is unknown. */
  progress: (detail: string, share: number | null) => void;
}
