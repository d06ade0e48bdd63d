/** What the beginnings of a run have in common: what they need, and what they result in. */
import type { Lineage } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import { SPLIT_VERSION } from '../data/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { Device } from './device.ts';
import type { ParentState } from './parent.ts';
import { UnknownObjective } from './plain_errors.ts';
import type { PreparedText, TextSources } from './prepared_text.ts';
import type { RunParts, RunStart, StorageContext } from './run_parts.ts';

/** What a beginning needs of the session. */
export interface BeginContext extends StorageContext {
  readonly device: Device;
  /** Reads, splits and encodes the text, and reports it to the page. */
  prepareText(config: RunConfig, sources: TextSources): Promise<PreparedText>;
}

/** All that is needed to create the run. Its storage is open. */
export interface Beginning {
  parts: RunParts;
  start: RunStart;
}

/** Throws UnknownObjective for one that only a later version of this page has. */
export async function requireObjective(
  { services }: BeginContext,
  name: string,
): Promise<Objective> {
  const objective = await services.findObjective(name);
  if (!objective) throw new UnknownObjective(name);
  return objective;
}

export const lineageOf = (
  objective: Objective,
  text: PreparedText,
  parent: ParentState | null,
): Lineage => ({
  objective: objective.name,
  parent: parent?.parent ?? null,
  dataset: text.summary.name,
  split_version: SPLIT_VERSION,
});
