/** Numbers from log-probabilities of tokens: bits per byte, and KL from another model. */
import type { Estimate } from '../common/index.ts';
import { meanInterval, ratio } from './intervals.ts';

/** A window of text. */
export interface ScoredText {
  /** Summed log-probability of the tokens, nats. */
  logp: number;
  /** UTF-8 bytes that the tokens stand for. */
  bytes: number;
}

/** -sum(log p) / (bytes ln 2) over all windows, whose differences give the interval. */
export const bitsPerByte = (windows: readonly ScoredText[]): Estimate =>
  ratio(
    windows.map(({ logp }) => -logp / Math.LN2),
    windows.map(({ bytes }) => bytes),
  );

/** An answer that the model sampled at temperature 1, with the log-probabilities of its tokens. */
export interface ComparedAnswer {
  /** Under the model that sampled it, nats. */
  logps: readonly number[];
  /** Under the parent. */
  parent_logps: readonly number[];
}

/**
 * KL of the model from its parent over whole answers, nats: the mean of sum(log p - log p_parent)
 * over answers that the model sampled, which is unbiased (k1 of Schulman's note on estimators).
 */
export const sequenceKl = (answers: readonly ComparedAnswer[]): Estimate =>
  meanInterval(answers.map(klOf));

/** The same per token. */
export const tokenKl = (answers: readonly ComparedAnswer[]): Estimate =>
  ratio(
    answers.map(klOf),
    answers.map(({ logps }) => logps.length),
  );

/** Summed difference of one answer, nats. */
export const klOf = ({ logps, parent_logps }: ComparedAnswer): number =>
  logps.reduce((total, logp, i) => total + logp - (parent_logps[i] ?? NaN), 0);
