/** The check that a device must pass before attention by subgroup matrices is used. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  convert,
  fillInPlace,
  type Outputs,
  readback,
  Store,
  submit,
  withActivations,
} from '../../backend/index.ts';
import { columns } from '../heads/layout.ts';
import { fillWithNoise, largestDifference } from '../matmul/compare.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { attentionKernel } from './forward.ts';
import {
  attentionGradSubgroupKernel,
  attentionSubgroupKernel,
  type SubgroupOptions,
} from './subgroup_kernels.ts';
import { SMALL } from './tile.ts';

const attrs: AttentionAttrs = { B: 1, T: 80, n_head: 2, n_kv_head: 1, head_dim: 32, window: 0 };
const shapes = {
  qkv: [attrs.T, columns(attrs).width],
  dy: [attrs.T, columns(attrs).q],
  /** Largest difference and largest value, of y and of dqkv. */
  forward: [2],
  backward: [2],
};
type Name = keyof typeof shapes;

/** Compares both implementations on noise; the results are in `forward` and `backward`. */
function compare(get: (name: Name) => Tensor, options: SubgroupOptions): void {
  fillWithNoise(get('qkv'), 1);
  fillWithNoise(get('dy'), 2);
  for (const name of ['forward', 'backward'] as const) fillInPlace(get(name), 0);
  withActivations('float16', () => {
    const qkv = convert(get('qkv'), 'float16');
    const dy = convert(get('dy'), 'float16');
    const expected = attentionKernel(qkv, attrs, { tile: SMALL });
    const actual = attentionSubgroupKernel(qkv, attrs, options);
    const inputs = { qkv, dy, ...expected };
    const expectedGrad = attentionGradKernel(inputs, attrs, { tile: SMALL });
    const actualGrad = attentionGradSubgroupKernel(inputs, attrs, options);
    largestDifference(get('forward'), convert(actual.y, 'float32'), convert(expected.y, 'float32'));
    largestDifference(
      get('backward'),
      convert(actualGrad.dqkv, 'float32'),
      convert(expectedGrad.dqkv, 'float32'),
    );
  });
}

/**
 * Whether output and gradient agree with the general kernels. Weights and their gradients are
 * rounded to 11 bits here, so the differences are about 2^-10 of the largest value. False too if a
 * kernel does not compile.
 */
export async function testSubgroupAttention(options: SubgroupOptions = {}): Promise<boolean> {
  const stores = Object.entries(shapes).map(([name, shape]) => new Store(name, [{ name, shape }]));
  const get = (name: Name): Tensor => {
    const store = stores.find(({ names }) => names.includes(name));
    if (!store) throw new Error(`There is no ${name}.`);
    return store.get(name);
  };
  try {
    const program = await compileProgram('comparison of attention', (): Outputs => {
      compare(get, options);
      return {};
    });
    try {
      submit([program]);
      const pairs = await readback([get('forward'), get('backward')]);
      return pairs.every(
        ([difference = NaN, largest = NaN]) => difference > 0 && difference < 2 ** -8 * largest,
      );
    } finally {
      program.dispose();
    }
  } catch {
    return false;
  } finally {
    for (const store of stores) store.dispose();
  }
}
