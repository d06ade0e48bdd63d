/**
 * Answers whose updates are not all done, as tensors of a checkpoint. Everything is float32, which
 * holds ids exactly.
 */
import type { EncodedPrompt } from '../../data/index.ts';
import type { SourceState } from '../objective.ts';
import type { AnswerRow } from './answer_rows.ts';

/** Columns of `rows`: index of the prompt, number of tokens, whether the answer ended. */
const ROW_COLUMNS = 3;
const TOKENS = 'tokens.';
const REWARDS = 'rewards.';

/** The rows, and `numbers` of the phase by name. */
export interface KeptRows {
  rows: readonly AnswerRow[];
  numbers: Readonly<Record<string, number>>;
}

export function keptRows({ rows, numbers }: KeptRows): SourceState {
  const state = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const keep = (name: string, values: ArrayLike<number>): void => {
    const data = Float32Array.from(values);
    state.set(name, { shape: [data.length], data });
  };
  for (const [name, value] of Object.entries(numbers)) keep(name, [value]);
  if (rows.length === 0) return state;
  keep(
    'rows',
    rows.flatMap(({ prompt, ids, ended }) => [prompt, ids.length, ended ? 1 : 0]),
  );
  keep(
    'ids',
    joined(rows, ({ ids }) => ids),
  );
  keep(
    'logps',
    joined(rows, ({ logps }) => logps),
  );
  for (const name of Object.keys(rows[0]?.tokens ?? {})) {
    keep(
      TOKENS + name,
      joined(rows, ({ tokens }) => tokens[name] ?? []),
    );
  }
  for (const name of Object.keys(rows[0]?.rewards ?? {})) {
    keep(
      REWARDS + name,
      rows.map(({ rewards }) => rewards[name] ?? NaN),
    );
  }
  return state;
}

/** The number of this name, if one was kept. */
export function keptNumber(state: SourceState | null | undefined, name: string): number | null {
  return state?.get(name)?.data[0] ?? null;
}

/** What `keptRows` was made from; null if it has no rows of these prompts. */
export function restoredRows(
  state: SourceState | null | undefined,
  prompts: readonly EncodedPrompt[],
): AnswerRow[] | null {
  const columns = state?.get('rows')?.data;
  if (!state || !columns || columns.length === 0) return null;
  const valuesOf = (name: string): Float32Array => state.get(name)?.data ?? new Float32Array();
  const names = [...state.keys()];
  const tokenNames = names.filter((name) => name.startsWith(TOKENS));
  const rewardNames = names.filter((name) => name.startsWith(REWARDS));
  const rows: AnswerRow[] = [];
  let first = 0;
  for (let row = 0; row < columns.length / ROW_COLUMNS; row++) {
    const [prompt = 0, length = 0, ended = 0] = columns.slice(ROW_COLUMNS * row);
    const prompt_ids = prompts[prompt]?.ids;
    if (!prompt_ids) return null;
    const end = first + length;
    const own = (name: string): Float32Array => valuesOf(name).slice(first, end);
    rows.push({
      prompt,
      prompt_ids,
      ids: Int32Array.from(own('ids')),
      logps: own('logps'),
      ended: ended === 1,
      tokens: Object.fromEntries(tokenNames.map((name) => [name.slice(TOKENS.length), own(name)])),
      rewards: Object.fromEntries(
        rewardNames.map((name) => [name.slice(REWARDS.length), valuesOf(name)[row] ?? NaN]),
      ),
    });
    first = end;
  }
  return rows;
}

function joined(
  rows: readonly AnswerRow[],
  valuesOf: (row: AnswerRow) => ArrayLike<number>,
): number[] {
  return rows.flatMap((row) => Array.from(valuesOf(row)));
}
