/** Choices of a mesh in words, for the planner and the parallel lab. */

/** What data-parallel ranks share out, by the stage of ZeRO. */
export const ZERO_LABELS = [
  'nothing (DP)',
  'optimizer state (ZeRO-1)',
  'and gradients (ZeRO-2)',
  'and weights (ZeRO-3, FSDP)',
] as const;

export const SCHEDULE_LABELS = {
  gpipe: 'GPipe',
  '1f1b': '1F1B',
  interleaved: 'interleaved 1F1B',
} as const;
