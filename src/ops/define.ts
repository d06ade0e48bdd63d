/** What the file of an operation imports: its record (`record.ts`) and how to run others (`run.ts`). */
export * from './record.ts';
export * from './run.ts';
