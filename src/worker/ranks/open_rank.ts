/**
 * Opens a rank: rank 0 reads what the run begins from, and gives it to the others. The text of
 * pretraining is prepared by rank 0 alone; the examples of a stage by every rank, because they come
 * with code (chat format, rewards) that cannot be sent.
 */
import type { Lineage, Mesh, Vote } from '../../common/index.ts';
import type { RunConfig } from '../../config/index.ts';
import { importTokenizer, type TokenSplit } from '../../data/index.ts';
import { type Group, type Link, RankTrainer, type ReducerThread } from '../../parallel/index.ts';
import type { OpenRankCommand } from '../../protocol/index.ts';
import { type BeginContext, requireObjective } from '../beginning.ts';
import type { PreparedText } from '../prepared_text.ts';
import { type RankOrigin, readOrigin } from './rank_origin.ts';
import type { RankProgress } from './rank_records.ts';
import { type SharedOrigin, shareOrigin, shareState, shareText } from './share.ts';

/** What rank 0 needs to save the run. */
export interface SavedFacts {
  text: PreparedText;
  lineage: Lineage;
  votes: readonly Vote[];
}

export interface OpenedRank {
  trainer: RankTrainer;
  config: RunConfig;
  vocab_size: number;
  /** Of what it continues from; null for new weights, and on ranks other than 0. */
  progress: RankProgress | null;
  /** Null on ranks other than 0. */
  facts: SavedFacts | null;
}

export interface RankPlace {
  mesh: Mesh;
  link: Link;
  /** Adds up gradients beside this thread. */
  reducer: ReducerThread | undefined;
}

/** Throws what reading, preparing and building throw; each is a sentence for the page. */
export async function openRank(
  context: BeginContext,
  command: OpenRankCommand,
  { mesh, link, reducer }: RankPlace,
): Promise<OpenedRank> {
  const world = RankTrainer.worldOf(mesh, link);
  const origin = link.rank === 0 ? await readOrigin(context, command) : null;
  const shared = await shareOrigin(world, origin);
  const { config } = shared;
  const objective = await requireObjective(context, shared.objective);
  const text = await prepare(context, origin, shared);
  const beginning = origin && text ? origin.begin(text) : null;
  const { split, vocab_size } = await shareTokens(world, text, beginning?.vocab_size ?? 0);
  const start = beginning?.from ?? null;
  const from = await shareState(world, origin ? (start?.state ?? null) : undefined);
  const trainer = await RankTrainer.create({
    ...{ config, objective, mesh, link, reducer, split, vocab_size, from },
    stage: text?.stage?.config ?? null,
    data: text?.stage?.data ?? null,
  });
  const facts =
    origin && text && beginning ? { text, lineage: beginning.lineage, votes: origin.votes } : null;
  // Not all of `start`, whose weights would stay in memory.
  const progress = start && {
    elapsed_seconds: start.elapsed_seconds,
    best_val_loss: start.best_val_loss,
  };
  return { trainer, config, vocab_size, progress, facts };
}

/** Null on ranks that get the tokens of a text from rank 0. */
async function prepare(
  context: BeginContext,
  origin: RankOrigin | null,
  { config, stage, tokenizer: bytes, own }: SharedOrigin,
): Promise<PreparedText | null> {
  if (stage) {
    const tokenizer = await importTokenizer(bytes);
    return context.prepareText(config, { text: own, tokenizer, stage });
  }
  if (!origin) return null;
  const { tokenizer_json, split_version, own: text } = origin;
  const tokenizer = origin.tokenizer ? await importTokenizer(origin.tokenizer) : undefined;
  return context.prepareText(config, { text, tokenizer_json, tokenizer, split_version });
}

/** The same on every rank: rank 0 gives the tokens, which a stage has none of. */
function shareTokens(
  world: Group,
  text: PreparedText | null,
  vocab_size: number,
): Promise<{ split: TokenSplit; vocab_size: number }> {
  const mine = world.index === 0 && text ? { split: text.tokens, vocab_size } : null;
  return shareText(world, mine);
}
