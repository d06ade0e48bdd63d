/** The tree of saved models: which stage was trained from which model, and what depends on what. */
import type { RunRecord } from '../../protocol/index.ts';

export interface ModelNode {
  record: RunRecord;
  /** Models that were trained from this one, the oldest first. */
  children: readonly ModelNode[];
  /** The model that it came from is no longer here, or was imported; its name is known. */
  origin: string | null;
}

/** The run that a model was trained from; null for one that began with random or imported weights. */
export const parentRun = ({ lineage }: RunRecord): string | null =>
  lineage.parent?.kind === 'run' ? lineage.parent.run : null;

/** Trees of models, the one that changed last first. A run whose parent is gone is a root. */
export function modelTrees(runs: readonly RunRecord[]): ModelNode[] {
  const here = new Map(runs.map((record) => [record.run, record]));
  const seen = new Set<string>();
  const nodeOf = (record: RunRecord): ModelNode => {
    seen.add(record.run);
    const children = runs
      .filter((other) => parentRun(other) === record.run && !seen.has(other.run))
      .sort((a, b) => a.created - b.created)
      .map(nodeOf);
    const parent = parentRun(record);
    const isChild = parent !== null && here.has(parent);
    return { record, children, origin: isChild ? null : (record.lineage.parent?.name ?? null) };
  };
  const isRoot = (record: RunRecord): boolean => {
    const parent = parentRun(record);
    return parent === null || !here.has(parent) || parent === record.run;
  };
  const roots = runs.filter(isRoot).map(nodeOf);
  // A lineage that leads back to itself, which only a damaged file can say, hides no run.
  for (const record of runs) if (!seen.has(record.run)) roots.push(nodeOf(record));
  return roots.sort((a, b) => lastChange(b) - lastChange(a));
}

const lastChange = ({ record, children }: ModelNode): number =>
  Math.max(record.updated, ...children.map(lastChange));

/** A model of the tree with its depth, parents before children. */
export interface ListedModel {
  record: RunRecord;
  depth: number;
}

export const listed = (nodes: readonly ModelNode[], depth = 0): ListedModel[] =>
  nodes.flatMap(({ record, children }) => [{ record, depth }, ...listed(children, depth + 1)]);

/** All models that were trained from this one, or from one of those. */
export function descendants(runs: readonly RunRecord[], run: string): RunRecord[] {
  const found = new Map<string, RunRecord>();
  const visit = (parent: string): void => {
    for (const record of runs) {
      if (parentRun(record) !== parent || found.has(record.run) || record.run === run) continue;
      found.set(record.run, record);
      visit(record.run);
    }
  };
  visit(run);
  return [...found.values()];
}

/** The models that this one came from, the first one first; itself last. */
export function ancestry(runs: readonly RunRecord[], run: string): RunRecord[] {
  const line: RunRecord[] = [];
  let id: string | null = run;
  while (id !== null) {
    const record = runs.find((candidate) => candidate.run === id);
    if (!record || line.includes(record)) break;
    line.unshift(record);
    id = parentRun(record);
  }
  return line;
}

/** Models that a stage can be trained from: those with weights that write text. */
export const canBeParent = ({ resumable, lineage }: RunRecord): boolean =>
  resumable && lineage.objective !== 'reward';

/** Ids of the models that this one came from and its own, with the first one that is gone. */
function lineOf(runs: readonly RunRecord[], run: string): string[] {
  const line = ancestry(runs, run);
  const [first] = line;
  const gone = first ? parentRun(first) : null;
  return [...(gone === null ? [] : [gone]), ...line.map((record) => record.run)];
}

/** Reward models that can score the answers of a child of `parent`: those with the same tokenizer. */
export function rewardModelsFor(runs: readonly RunRecord[], parent: RunRecord): RunRecord[] {
  const line = new Set(lineOf(runs, parent.run));
  return runs.filter(
    (record) =>
      record.lineage.objective === 'reward' &&
      record.resumable &&
      lineOf(runs, record.run).some((run) => line.has(run)),
  );
}

/** What deleting a model means for others, one sentence; null if nothing depends on it. */
export function deletionWarning(runs: readonly RunRecord[], run: string): string | null {
  const dependents = descendants(runs, run);
  const direct = dependents.filter((record) => parentRun(record) === run);
  if (direct.length === 0) return null;
  const names = direct.map(({ name }) => `“${name}”`).join(', ');
  const one = direct.length === 1;
  return (
    `${names} ${one ? 'was' : 'were'} trained from it. ` +
    `${one ? 'It keeps its' : 'They keep their'} own weights, but can no longer be compared with ` +
    `${one ? 'its' : 'their'} parent, and ${one ? 'its' : 'their'} KL to it can no longer be measured.`
  );
}
