/**
 * The engine on the processor. Every export of the files below is a kernel: a function of the
 * address of its arguments, which every thread calls. `threads.ts` calls them.
 */
export { run, scratchBytes, serve, setThread, stop } from './threads';
export * from './attention';
export * from './attention_decode';
export * from './attention_grad';
export * from './attention_heads';
export * from './cache_write';
export * from './elementwise';
export * from './gradient_check';
export * from './qk_norm';
export * from './rope';
export * from './sequence_logps';
export * from './take_rows';
