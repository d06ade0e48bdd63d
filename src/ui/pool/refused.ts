/** Whose contributions are refused at the moment. */
import type { MemberRow } from '../../store/pool/index.ts';

const GONE: ReadonlySet<MemberRow['phase']> = new Set(['away', 'removed', 'silent']);

export interface Refused {
  /** Members that are there, and of which nothing has counted since they were last refused. */
  rows: readonly MemberRow[];
  /** Nobody else is there, so the round is trained again and again. */
  isEverybody: boolean;
}

export function refusedOf(all: readonly MemberRow[]): Refused {
  const present = all.filter(({ phase }) => !GONE.has(phase));
  const rows = present.filter(({ refused_in_a_row: times }) => times > 0);
  const training = present.filter(({ phase }) => phase !== 'joining');
  return { rows, isEverybody: rows.length > 0 && rows.length === training.length };
}
