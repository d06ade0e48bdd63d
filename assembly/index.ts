/**
 * The engine on the processor. Every export of the files below is a kernel: a function of the
 * address of its arguments, which every thread calls. `threads.ts` calls them.
 */
export { fail, failure, published, run, scratchBytes, serve, setThread, stop } from './threads';
export * from './elementwise';
export * from './gradient_check';
