export * from './schema.ts';
export * from './fields.ts';
export * from './labels.ts';
export * from './parse.ts';
export * from './presets.ts';
export * from './tensors.ts';
export * from './check.ts';
export * from './url.ts';
