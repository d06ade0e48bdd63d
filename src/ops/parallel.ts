/** Operations that only ranks of tensor parallelism use: loaded with them, not with the page. */
export { activate } from './activation/activate.ts';
export * from './embedding/vocab_parallel_embedding.ts';
export { headTokenEntropy } from './head_cross_entropy/head_token_entropy.ts';
export { sortLocalSegments } from './embedding/local_segments.ts';
