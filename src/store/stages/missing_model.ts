/** Why a model that an address names cannot be used. */
import type { DeletedRecord, RunRecord } from '../../protocol/index.ts';

interface Known {
  runs: readonly RunRecord[];
  deleted: readonly DeletedRecord[];
}

/** One sentence on a model that is not among those that write text, and what to do. */
export function missingModel(run: string, { runs, deleted }: Known): string {
  const gone = deleted.find((one) => one.run === run);
  if (gone)
    return `“${gone.name}” was deleted: restore it in the library, or choose another model.`;
  const record = runs.find((one) => one.run === run);
  if (!record)
    return (
      'The model that this address names is not in the storage of this browser, perhaps because it ' +
      'was deleted: choose another one.'
    );
  return record.lineage.objective === 'reward'
    ? `“${record.name}” is a reward model, which writes no text: choose another model.`
    : `“${record.name}” has no checkpoint yet: choose another model.`;
}
