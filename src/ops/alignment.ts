/** Operations that only objectives beyond pretraining use: loaded with them, not with the page. */
export { activate } from './activation/activate.ts';
export * from './attention/attention_documents.ts';
export * from './attention/attention_documents_dropout.ts';
export * from './attention/documents.ts';
export * from './clipped_ratio/clipped_ratio.ts';
export * from './clipped_value/clipped_value.ts';
export * from './low_rank/low_rank.ts';
export {
  PAIR_STATISTICS,
  pairLoss,
  pairLossGrad,
  type PairLossAttrs,
} from './pair_loss/pair_loss.ts';
export { PREFERENCE_LOSSES, type PreferenceLossAttrs } from './preference_loss/losses.ts';
export * from './preference_loss/preference_loss.ts';
export * from './preference_loss/preference_loss_grad.ts';
export * from './sequence_logps/sequence_logps.ts';
export * from './take_rows/take_rows.ts';
export * from './token_entropy/token_entropy.ts';
export * from './weighted_sum/weighted_sum.ts';
export * from './weighted_columns/weighted_columns.ts';
