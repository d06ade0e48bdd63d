/** The state of rows that decode: tokens so far, position, progress. */
import { intAt, pointerAt } from './inlined/args';
import { CONTROL_COLUMNS, PROGRESS_COLUMNS, REPORTED } from './sampling_columns';
import { claim } from './threads';

/**
 * Advances the state of each row by its chosen token; a row that is inactive or has no tokens left
 * stays as it is. Updates ids, positions int32 [B], progress int32 [B, 2], history_ids int32 and
 * history_probabilities [B, slots, 5]; reads chosen int32 and probabilities [B, 5], control int32
 * [B, 3]; B, slots.
 */
export function record_token(args: usize): void {
  if (claim() != 0) return;
  const rows = intAt(args, 8);
  for (let row = 0; row < rows; row++) recordRow(args, row);
}

function recordRow(args: usize, row: i32): void {
  const progress = pointerAt(args, 2) + ((<usize>(PROGRESS_COLUMNS * row)) << 2);
  const chosen = pointerAt(args, 5) + ((<usize>(REPORTED * row)) << 2);
  const probabilities = pointerAt(args, 6) + ((<usize>(REPORTED * row)) << 2);
  const control = pointerAt(args, 7) + ((<usize>(CONTROL_COLUMNS * row)) << 2);
  const slots = intAt(args, 9);
  const made = load<i32>(progress);
  const left = load<i32>(progress, 4);
  if (load<i32>(control, 4) == 0 || left <= 0) return;
  const slot = (<usize>((row * slots + (made % slots)) * REPORTED)) << 2;
  memory.copy(pointerAt(args, 3) + slot, chosen, REPORTED << 2);
  memory.copy(pointerAt(args, 4) + slot, probabilities, REPORTED << 2);
  const token = load<i32>(chosen);
  const leftAfter = token == load<i32>(control, 8) ? 0 : left - 1;
  const at = (<usize>row) << 2;
  store<i32>(pointerAt(args, 0) + at, token);
  store<i32>(progress, made + 1);
  store<i32>(progress, leftAfter, 4);
  const positions = pointerAt(args, 1) + at;
  if (leftAfter > 0) store<i32>(positions, load<i32>(positions) + 1);
}
