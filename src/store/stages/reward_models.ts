/** The saved reward models, and which of them can score the answers of a model. */
import {
  makeSameTokenizer,
  type RatedModel,
  rewardModelProblem,
  type StageProblem,
} from '../../config/stage/index.ts';
import type { RunRecord } from '../../protocol/index.ts';
import { ancestry, parentRun } from './tree.ts';

/** Reward models with weights, those that fit `parent` first. */
export function rewardModels(runs: readonly RunRecord[], parent: RunRecord): RunRecord[] {
  const all = runs.filter(({ resumable, lineage }) => resumable && lineage.objective === 'reward');
  const isFit = (record: RunRecord): boolean => misfit(runs, record, parent) === null;
  return [...all.filter(isFit), ...all.filter((record) => !isFit(record))];
}

/** Why a reward model cannot score the answers of a child of `parent`; null if it can. */
export function misfit(
  runs: readonly RunRecord[],
  reward: RunRecord,
  parent: RunRecord,
): StageProblem | null {
  return rewardModelProblem(rated(reward), rated(parent), haveSameTokenizer(runs, reward, parent));
}

const rated = ({ name, lineage, config: { model } }: RunRecord): RatedModel => ({
  name,
  objective: lineage.objective,
  model,
});

/** As far as lineage and settings tell; the worker compares the files. */
function haveSameTokenizer(runs: readonly RunRecord[], one: RunRecord, other: RunRecord): boolean {
  const [first, second] = [one, other].map(({ run }) => origin(runs, run));
  if (!first || !second) return false;
  if (first.id === second.id) return true;
  return first.made && second.made ? makeSameTokenizer(first.made, second.made) : false;
}

/** The first model of a line, which may have been deleted, and its settings if it made a tokenizer. */
function origin(runs: readonly RunRecord[], run: string) {
  const [first] = ancestry(runs, run);
  if (!first) return null;
  const { lineage, config } = first;
  const isMade = lineage.parent === null && lineage.objective === 'pretrain';
  return { id: parentRun(first) ?? first.run, made: isMade ? config : null };
}
