/**
 * What is measured of answers, choices and text, with 95 % intervals, and the table of checkpoints.
 * Arithmetic only: `worker/models` gets the answers.
 */
export * from './choices.ts';
export * from './intervals.ts';
export * from './likelihood.ts';
export * from './metrics.ts';
export * from './pass_at_k.ts';
export * from './report_card.ts';
export * from './table.ts';
export * from './win_rate.ts';
