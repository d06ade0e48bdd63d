import { describe, expect, it } from 'vitest';
import { byKind, kindOf, productFlops } from './profile.ts';

describe('kinds of kernels', () => {
  it.each([
    ['matmul nt 2048x384x1536 wide', 'products'],
    ['sum_partials 8x49152', 'products'],
    ['attention_grad_kv', 'attention'],
    ['rope', 'attention'],
    ['layer_norm_grad', 'norms'],
    ['norm_grad_fold', 'norms'],
    ['qk_norm', 'norms'],
    ['cross_entropy_grad', 'cross_entropy'],
    ['step_sums', 'cross_entropy'],
    ['embedding', 'other'],
    ['dropout', 'other'],
  ] as const)('%s is of %s', (kernel, kind) => {
    expect(kindOf(kernel)).toBe(kind);
  });

  it('reads the work of a product from its name', () => {
    expect(productFlops('matmul tn 384x1536x8192 96x128')).toBe(2 * 384 * 1536 * 8192);
    expect(productFlops('sum_partials 8x49152')).toBe(0);
  });

  it('sums by kind, the micro-step as often as a step takes it, all of the update as the optimizer', () => {
    const { kinds, kernels } = byKind(
      [
        { program: 'micro', kernel: 'matmul nn 4x5x6 small', count: 2, ms: 0.5 },
        { program: 'micro', kernel: 'sum_partials 2x20', count: 1, ms: 0.25 },
        { program: 'micro', kernel: 'layer_norm', count: 1, ms: 2 },
        { program: 'update', kernel: 'grad_norm', count: 1, ms: 0.5 },
        { program: 'update', kernel: 'MatMulReduceProgram', count: 1, ms: 0.5 },
      ],
      'micro',
      3,
    );
    expect(kinds).toEqual([
      { kind: 'norms', ms: 6, dispatches: 3, flops: null },
      { kind: 'products', ms: 2.25, dispatches: 9, flops: 6 * 240 },
      { kind: 'optimizer', ms: 1, dispatches: 2, flops: null },
    ]);
    expect(kernels[0]).toEqual({ kernel: 'layer_norm', ms: 6, dispatches: 3 });
  });
});
