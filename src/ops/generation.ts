/**
 * Operations that only text generation needs. They are not part of `index.ts`, so that they are
 * loaded together with the generator.
 */
export * from './attention_decode/attention_decode.ts';
export * from './cache_write/cache_write.ts';
export * from './record_token/record_token.ts';
export * from './rollout_token/rollout_token.ts';
export * from './sample_token/sample_token.ts';
export * from './take_rows/take_rows.ts';
