export * from './commands.ts';
export * from './events.ts';
export * from './models.ts';
export type * from './pool.ts';
export * from './types.ts';
export * from './port.ts';
export * from './rank_port.ts';
export * from './ranks.ts';
export * from './headless.ts';
