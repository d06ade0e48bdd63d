/**
 * The engine on the processor. Every export of the files below is a kernel: a function of the
 * address of its arguments, which every thread calls. `threads.ts` calls them.
 */
export * from './add';
export * from './attention';
export * from './attention_decode';
export * from './attention_grad';
export * from './cross_entropy';
export * from './dropout';
export { fail, failure, published, run, scratchBytes, serve, setThread, stop } from './threads';
export * from './attention_heads';
export * from './cache_write';
export * from './elementwise';
export * from './embedding';
export * from './glu';
export * from './gradient_check';
export * from './norm_gradients';
export * from './norms';
export * from './pair_loss';
export * from './products';
export * from './products_columns';
export * from './sums';
export * from './optimizer';
export * from './plain';
export * from './sampling';
export * from './qk_norm';
export * from './rope';
export * from './sequence_logps';
export * from './take_rows';
