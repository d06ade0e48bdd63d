/**
 * The engine on the processor. Every export of the files below is a kernel: a function of the
 * address of its arguments, which every thread calls (README.md). Those of `threads.ts` are not
 * kernels: they call them.
 */
export { fail, failure, published, run, scratchBytes, serve, setThread, stop } from './threads';
export * from './activate';
export * from './add';
export * from './attention';
export * from './attention_decode';
export * from './attention_grad';
export * from './attention_heads';
export * from './cache_write';
export * from './clipped_ratio';
export * from './cross_entropy';
export * from './dropout';
export * from './elementwise';
export * from './embedding';
export * from './glu';
export * from './gradient_check';
export * from './low_rank';
export * from './norm_gradients';
export * from './norms';
export * from './optimizer';
export * from './pair_loss';
export * from './plain';
export * from './products';
export * from './products_columns';
export * from './qk_norm';
export * from './record_token';
export * from './rollout_token';
export * from './rope';
export * from './sampling';
export * from './sequence_logps';
export * from './step_results';
export * from './sums';
export * from './take_rows';
export * from './token_entropy';
export * from './weighted_columns';
