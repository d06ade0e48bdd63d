/** The matrix products of a training step, with what is done to each on its way to memory. */
import { CONFIGS, type ConfigName } from './configs.ts';

/**
 * `bias`, `residual`: added; `gelu`: the value after it is stored too; `gelu_grad`: its derivative;
 * `into`: added to C; `columns`: those of b are summed.
 */
export interface Finish {
  bias?: true;
  residual?: true;
  gelu?: true;
  gelu_grad?: true;
  into?: true;
  columns?: true;
}
export interface Product {
  title: string;
  form: 'nn' | 'nt' | 'tn';
  M: number;
  N: number;
  K: number;
  finish: Finish;
}
export type SearchName = ConfigName | 'squares';

const SQUARES = [1024, 2048, 4096];

const product = (
  what: string,
  form: Product['form'],
  M: number,
  N: number,
  K: number,
  finish: Finish = {},
): Product => ({
  title: `${what} ${form} ${M}x${N}x${K} ${Object.keys(finish).join('+') || 'plain'}`,
  form,
  M,
  N,
  K,
  finish,
});

export function productsOf(name: SearchName): Product[] {
  if (name === 'squares')
    return SQUARES.flatMap((n) =>
      (['nn', 'nt', 'tn'] as const).map((form) => product('square', form, n, n, n)),
    );
  const c = CONFIGS[name];
  return productsOfSizes({
    n: c.batch_size * c.block_size,
    d: c.n_embd,
    w: 3 * c.n_embd,
    f: c.n_inner,
    v: c.vocab_size,
  });
}

/**
 * n tokens, width d, w columns of queries, keys and values, f of the feed-forward, v tokens in the
 * vocabulary.
 */
export function productsOfSizes({
  n,
  d,
  w,
  f,
  v,
}: Record<'n' | 'd' | 'w' | 'f' | 'v', number>): Product[] {
  return [
    product('qkv', 'nn', n, w, d, { bias: true }),
    product('attention proj', 'nn', n, d, d, { bias: true, residual: true }),
    product('fc', 'nn', n, f, d, { bias: true, gelu: true }),
    product('proj', 'nn', n, d, f, { bias: true, residual: true }),
    product('head', 'nt', n, v, d),
    product('head dx', 'nn', n, d, v),
    product('proj dx', 'nt', n, f, d, { gelu_grad: true }),
    product('fc dx', 'nt', n, d, f),
    product('attention proj dx', 'nt', n, d, d),
    product('qkv dx', 'nt', n, d, w),
    product('head dW', 'tn', v, d, n, { into: true }),
    product('qkv dW', 'tn', d, w, n, { into: true, columns: true }),
    product('attention proj dW', 'tn', d, d, n, { into: true, columns: true }),
    product('fc dW', 'tn', d, f, n, { into: true, columns: true }),
    product('proj dW', 'tn', f, d, n, { into: true, columns: true }),
  ];
}
