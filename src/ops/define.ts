/**
 * What the file of an operation imports: the record (`record.ts`), entries of the micro-benchmark
 * (`bench.ts`) and how to run other operations (`run.ts`).
 */
export type * from './bench.ts';
export * from './record.ts';
export * from './run.ts';
