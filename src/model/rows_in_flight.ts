/** What JavaScript expects of the rows that a DeviceDecoder has in flight, and what has arrived. */
import type { Values } from '../backend/index.ts';
import { CHOICE_TOKENS, PROGRESS_COLUMNS } from '../ops/generation.ts';
import type { Choice } from '../ops/sample_token/sampler.ts';
import type { DecodeOptions, RowChoice } from './decoder.ts';

/** Steps of the longest chunk, and so the tokens of a row that its history holds. */
export const MAX_CHUNK_STEPS = 32;

/** A row as it will be after everything submitted so far, if it meets no stop token. */
export interface ExpectedRow {
  /** The prompt and the tokens received. */
  ids: number[];
  /** Tokens that have arrived in JavaScript. */
  received: number;
  /** Tokens made. */
  made: number;
  /** Tokens that it may make before a prefill or its end. */
  left: number;
  /** Position of the token that the next step reads. */
  position: number;
  ended: boolean;
}

export function expectedRow(
  prompt: readonly number[],
  { max_new_tokens }: DecodeOptions,
): ExpectedRow {
  const ended = max_new_tokens <= 0;
  return { ids: [...prompt], received: 0, made: 0, left: 0, position: 0, ended };
}

/** What `record_token` does to a row in this many steps. */
export function advance(row: ExpectedRow, steps: number): void {
  const tokens = Math.min(steps, row.left);
  row.made += tokens;
  row.left -= tokens;
  row.position += row.left > 0 ? tokens : Math.max(0, tokens - 1);
}

/** The histories of all rows after a chunk, as `record_token` lays them out. */
export interface ChunkValues {
  ids: Values;
  probabilities: Values;
  progress: Values;
}

/** The tokens that a chunk has added, in order, one of each row in turn. */
export function* newTokens(
  rows: readonly ExpectedRow[],
  values: ChunkValues,
  stop_id: DecodeOptions['stop_id'],
): Generator<RowChoice> {
  const made = rows.map((_, index) => values.progress[PROGRESS_COLUMNS * index] ?? 0);
  for (let found = true; found;) {
    found = false;
    for (const [index, row] of rows.entries()) {
      if (row.ended || row.received >= (made[index] ?? 0)) continue;
      found = true;
      const slot = index * MAX_CHUNK_STEPS + (row.received % MAX_CHUNK_STEPS);
      const choice = choiceAt(values, slot * CHOICE_TOKENS);
      row.received++;
      row.ids.push(choice.id);
      if (choice.id === stop_id) {
        row.ended = true;
        row.left = 0;
      }
      yield { row: index, choice };
    }
  }
}

/** The chosen token first, then its most likely rivals; ids of -1 are empty places. */
function choiceAt({ ids, probabilities }: ChunkValues, offset: number): Choice {
  const candidates = Array.from({ length: CHOICE_TOKENS }, (_, i) => ({
    id: ids[offset + i] ?? -1,
    probability: probabilities[offset + i] ?? 0,
  }));
  const [chosen, ...rivals] = candidates.filter(({ id }) => id >= 0);
  return { id: chosen?.id ?? 0, probability: chosen?.probability ?? 0, rivals };
}
