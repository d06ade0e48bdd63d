export * from './parameters.ts';
export * from './flops.ts';
export * from './activations.ts';
export * from './memory.ts';
export * from './plan.ts';
