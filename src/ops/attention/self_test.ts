/** What a device must show before attention by subgroup matrices is used. */
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
import { SMALL } from './tiles.ts';

/**
 * Output and gradient of noise against the kernels that every device runs: weights and their
 * gradients are rounded to 11 bits here, so they agree within some 2^-10 of the largest value.
 * False too where a kernel does not compile.
 */
export async function testSubgroupAttention(options: SubgroupOptions = {}): Promise<boolean> {
  const a: AttentionAttrs = { B: 1, T: 80, n_head: 2, n_kv_head: 1, head_dim: 32, window: 0 };
  const { width, q } = columns(a);
  const shapes = { qkv: [a.T, width], dy: [a.T, q], forward: [2], backward: [2] };
  const stores = Object.entries(shapes).map(([name, shape]) => new Store(name, [{ name, shape }]));
  const get = (name: keyof typeof shapes) => {
    const s = stores.find((one) => one.names.includes(name));
    if (!s) throw new Error(`There is no ${name}.`);
    return s.get(name);
  };
  try {
    const program = await compileProgram('comparison of attention', (): Outputs => {
      fillWithNoise(get('qkv'), 1);
      fillWithNoise(get('dy'), 2);
      for (const name of ['forward', 'backward'] as const) fillInPlace(get(name), 0);
      withActivations('float16', () => {
        const qkv = convert(get('qkv'), 'float16');
        const dy = convert(get('dy'), 'float16');
        const plain = attentionKernel(qkv, a, undefined, SMALL);
        const other = attentionSubgroupKernel(qkv, a, options);
        const plainGradient = attentionGradKernel({ qkv, dy, ...plain }, a, undefined, SMALL);
        const otherGradient = attentionGradSubgroupKernel({ qkv, dy, ...plain }, a, options);
        largestDifference(get('forward'), convert(other.y, 'float32'), convert(plain.y, 'float32'));
        largestDifference(
          get('backward'),
          convert(otherGradient.dqkv, 'float32'),
          convert(plainGradient.dqkv, 'float32'),
        );
      });
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
    for (const s of stores) s.dispose();
  }
}
