export * from './settle.ts';
export * from './precision.ts';
