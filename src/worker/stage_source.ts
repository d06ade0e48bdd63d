/** What the examples of a saved stage are made from again. */
import type { ReadState } from '../checkpoint/index.ts';
import type { Vote } from '../common/index.ts';
import { parseStage } from '../config/stage/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { StageSource } from './text.ts';

/** Throws ConfigError for a `stage.json` that this version cannot read. */
export function stageSource(
  { stage, chat_template = null, model }: ReadState,
  { data: needs }: Objective,
  votes: readonly Vote[] = [],
): StageSource {
  const { block_size } = model;
  return { config: parseStage(stage), needs, chat_template, block_size, votes };
}
