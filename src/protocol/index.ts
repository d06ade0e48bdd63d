export * from './types.ts';
export * from './headless.ts';
