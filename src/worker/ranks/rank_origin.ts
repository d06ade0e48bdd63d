/** What the ranks of a run begin from, as rank 0 reads it from storage. */
import type { Lineage, OwnText, SplitVersion, Vote } from '../../common/index.ts';
import type { RunConfig } from '../../config/index.ts';
import { DEFAULT_OBJECTIVE, type Objective } from '../../objectives/index.ts';
import type { ChildRun, OpenRankCommand } from '../../protocol/index.ts';
import { startingPoint } from '../begin.ts';
import { type BeginContext, lineageOf, requireObjective } from '../beginning.ts';
import { withUsableMoments } from '../moments.ts';
import { configWithParent, loadParent, loadSaved, startingWeights } from '../parent.ts';
import type { PreparedText, StageSource } from '../prepared_text.ts';
import type { StartingPoint } from '../run_parts.ts';
import { readStageOrigin, stageStart, vocabularyOf } from '../stage.ts';
import { stageSource } from '../stage_source.ts';

/** How a run begins once its text is prepared. */
export interface RankBeginning {
  /** Null for new weights. */
  from: StartingPoint | null;
  vocab_size: number;
  lineage: Lineage;
}

export interface RankOrigin {
  config: RunConfig;
  objective: Objective;
  /** The bytes of tokenizer.json of a parent or of a saved run; null for one that is made anew. */
  tokenizer: Uint8Array | null;
  /** A tokenizer.json that the user opened. */
  tokenizer_json?: string | undefined;
  /** The user's own text, or the examples of a stage. */
  own: OwnText | null;
  split_version?: SplitVersion | undefined;
  /** Null for pretraining. */
  stage: StageSource | null;
  /** Of a stage. */
  votes: readonly Vote[];
  begin(text: PreparedText): RankBeginning;
}

/** Throws what `newRun` and `resumedRun` throw, or CannotOpenRank. */
export function readOrigin(context: BeginContext, command: OpenRankCommand): Promise<RankOrigin> {
  const { resume, child } = command;
  if (resume !== null) return savedRun(context, command, resume);
  if (child?.stage) return newStage(context, command, { ...child, stage: child.stage });
  if (child) return morePretraining(context, command, child);
  return Promise.resolve(newWeights(command));
}

function newWeights({ config, text, tokenizer_json }: OpenRankCommand): RankOrigin {
  const objective = DEFAULT_OBJECTIVE;
  return {
    ...{ config, objective, tokenizer_json, own: text ?? null },
    tokenizer: null,
    stage: null,
    votes: [],
    begin: (prepared) => ({
      from: null,
      vocab_size: prepared.tokenizer.vocab_size,
      lineage: lineageOf(objective, prepared, null),
    }),
  };
}

async function morePretraining(
  context: BeginContext,
  command: OpenRankCommand,
  child: ChildRun,
): Promise<RankOrigin> {
  const objective = DEFAULT_OBJECTIVE;
  const parent = await loadParent(context, child.parent);
  return {
    ...newWeights(command),
    config: configWithParent(command.config, parent),
    tokenizer: parent.state.tokenizer,
    begin: (prepared) => ({
      from: startingWeights(parent, objective),
      vocab_size: parent.state.model.vocab_size,
      lineage: lineageOf(objective, prepared, parent),
    }),
  };
}

async function newStage(
  context: BeginContext,
  { config }: OpenRankCommand,
  child: ChildRun & { stage: NonNullable<ChildRun['stage']> },
): Promise<RankOrigin> {
  const origin = await readStageOrigin(context, { config, ...child });
  const { objective, parent, votes, source } = origin;
  return {
    ...{ objective, votes, config: origin.config },
    tokenizer: parent.state.tokenizer,
    own: child.dataset ?? null,
    stage: source,
    begin: (prepared) => {
      const vocab_size = vocabularyOf(origin, prepared);
      const lineage = lineageOf(objective, prepared, parent);
      return { from: stageStart(origin, vocab_size), vocab_size, lineage };
    },
  };
}

async function savedRun(
  context: BeginContext,
  command: OpenRankCommand,
  run: string,
): Promise<RankOrigin> {
  const store = await context.storage();
  const { state: saved } = await loadSaved(context, run);
  const { lineage, config, tokenizer } = saved;
  const objective = await requireObjective(context, lineage.objective);
  const file = saved.stage ? await store.records.trainingVotes(run) : null;
  const votes = (await file?.read())?.records ?? [];
  const stage = saved.stage ? stageSource(saved, objective, votes) : null;
  const learned = { objective, stage: stage?.config ?? null };
  const from = startingPoint(withUsableMoments(saved, learned, context.emit));
  return {
    ...{ config, objective, tokenizer, stage, votes },
    own: (await store.transfer.text(run)) ?? command.text ?? null,
    split_version: lineage.split_version ?? 1,
    begin: () => ({ from, vocab_size: saved.model.vocab_size, lineage }),
  };
}
