/** Operations that only objectives beyond pretraining use: loaded with them, not with the page. */
export * from './attention/attention_documents.ts';
export * from './attention/attention_documents_dropout.ts';
export * from './attention/documents.ts';
export { pairLoss, pairLossGrad } from './pair_loss/pair_loss.ts';
export * from './scale/scale.ts';
export * from './sequence_logps/sequence_logps.ts';
export * from './take_rows/take_rows.ts';
export * from './weighted_sum/weighted_sum.ts';
