/** What the examples of a saved stage are made from again. */
import type { ReadState } from '../checkpoint/index.ts';
import type { Vote } from '../common/index.ts';
import { parseStage } from '../config/stage/index.ts';
import type { ChatTokens } from '../data/conversations/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { StageSource } from './prepared_text.ts';

/** Throws ConfigError for a `stage.json` that this version cannot read. */
export function stageSource(
  state: ReadState,
  { data: needs }: Objective,
  votes: readonly Vote[] = [],
): StageSource {
  const { stage, chat_template = null, model } = state;
  const { block_size } = model;
  const special = specialTokens(state);
  return { config: parseStage(stage), needs, chat_template, special, block_size, votes };
}

/** The special tokens that a checkpoint's files name. */
export const specialTokens = (state: ReadState): ChatTokens => ({
  bos_token_id: state.bos_token_id,
  eos_token_id: state.eos_token_id,
  pad_token_id: state.pad_token_id,
});
