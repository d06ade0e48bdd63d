/**
 * Operations: one record each (`define.ts`), one folder each. A folder holds the float64 oracle, the reference in tfjs
 * ops, the WGSL kernels and the gradient.
 */
export * from './define.ts';
export * from './attention/attention.ts';
export * from './attention/attrs.ts';
export * from './attention_decode/attention_decode.ts';
export * from './cache_write/cache_write.ts';
export * from './heads/layout.ts';
export * from './linear/linear.ts';
export * from './matmul/matmul.ts';
export * from './qk_norm/qk_norm.ts';
export * from './rope/rope.ts';
export * from './take_rows/take_rows.ts';
