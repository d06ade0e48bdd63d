export * from './types.ts';
export * from './port.ts';
export * from './headless.ts';
