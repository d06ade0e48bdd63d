/**
 * Attention by subgroup matrices, which are emulated here, against the float64 oracle at values
 * that float16 represents exactly: over edges of tiles, windows, grouped heads and documents.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  convert,
  readback,
  startBackend,
  tensorCount,
  withActivations,
} from '../../backend/index.ts';
import { emulateSubgroups as emulate } from '../../testing/emulate_subgroups.ts';
import { roundToFloat16 } from '../../testing/check_float16.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { caseRandom } from '../../testing/random.ts';
import { toTensors } from '../../testing/check.ts';
import { columns } from '../heads/layout.ts';
import type { HostTensor } from '../define.ts';
import type { AttentionAttrs } from './attrs.ts';
import { documentStartsOf } from './documents.ts';
import { attentionGradOracle, attentionOracle } from './oracle.ts';
import { testSubgroupAttention } from './self_test.ts';
import type { SubgroupShape } from './subgroup_fragments.ts';
import { attentionGradSubgroupKernel, attentionSubgroupKernel } from './subgroup_kernels.ts';

interface Shape {
  attrs: AttentionAttrs;
  shape: SubgroupShape;
  /** Lengths of the documents of each sequence. */
  documents?: number[][];
}
const one = { B: 1, T: 70, n_head: 1, n_kv_head: 1, head_dim: 16, window: 0 };
const SHAPES: Record<string, Shape> = {
  'two tiles, grouped heads': {
    attrs: { ...one, B: 2, n_head: 4, n_kv_head: 2 },
    shape: { groups: 2, columns: 64 },
  },
  'a window over tiles': {
    attrs: { ...one, head_dim: 32, window: 20 },
    shape: { groups: 2, columns: 32 },
  },
  'head_dim of 80': { attrs: { ...one, T: 40, head_dim: 80 }, shape: { groups: 2, columns: 16 } },
  'one token': { attrs: { ...one, T: 1 }, shape: { groups: 1, columns: 16 } },
  'documents, grouped heads': {
    attrs: { ...one, B: 2, n_head: 2 },
    shape: { groups: 2, columns: 32 },
    documents: [
      [1, 32, 37],
      [40, 7, 20],
    ],
  },
  'documents and a window': {
    attrs: { ...one, window: 20 },
    shape: { groups: 1, columns: 16 },
    documents: [[25, 45]],
  },
};
const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', {
    lost: (reason) => errors.push(reason),
    error: (message) => errors.push(message),
  });
});
afterAll(() => {
  expect(errors).toEqual([]);
});
const rounded = (host: HostTensor): HostTensor => ({
  ...host,
  data: host.data.map(roundToFloat16),
});
function startsOf({ B, T }: AttentionAttrs, documents: number[][]): HostTensor {
  const starts = documents.flatMap((lengths) => [...documentStartsOf(lengths, T)]);
  return { shape: [B * T], dtype: 'int32', data: Float64Array.from(starts) };
}

it.each(Object.entries(SHAPES))(
  '%s',
  async (name, { attrs, shape, documents }) => {
    const random = caseRandom(3);
    const starts = documents && startsOf(attrs, documents);
    const options = starts ? { document_starts: starts } : {};
    const qkv = rounded(random.normal([attrs.B * attrs.T, columns(attrs).width]));
    const dy = rounded(random.normal([attrs.B * attrs.T, columns(attrs).q]));
    const wanted = attentionOracle(qkv, attrs, options);
    const y = rounded(wanted.y);
    const { dqkv } = attentionGradOracle({ qkv, y, dy }, attrs, options);
    const inputs = toTensors(['qkv', 'dy', 'y', 'lse'], { qkv, dy, y, lse: wanted.lse });
    const document_starts = starts && toTensors(['starts'], { starts }).starts;
    const stored = {
      qkv: convert(inputs.qkv, 'float16'),
      dy: convert(inputs.dy, 'float16'),
      y: convert(inputs.y, 'float16'),
      lse: inputs.lse,
    };
    const made = withActivations('float16', () =>
      attentionSubgroupKernel(stored.qkv, attrs, { shape, emulate, document_starts }),
    );
    const gradient = withActivations('float16', () =>
      attentionGradSubgroupKernel(stored, attrs, {
        shape: { ...shape, columns: Math.min(shape.columns, 32) },
        emulate,
        document_starts,
      }),
    );
    const [gotY, gotLse, gotD] = await readback([made.y, made.lse, gradient.dqkv]);
    // Weights and their gradients are rounded to 11 bits.
    expectClose(gotY ?? [], wanted.y.data, { atol: 2e-3, rtol: 2e-3 }, `${name}: y`);
    expectClose(gotLse ?? [], wanted.lse.data, { atol: 1e-5, rtol: 1e-4 }, `${name}: lse`);
    expectClose(gotD ?? [], dqkv.data, { atol: 4e-3, rtol: 4e-3 }, `${name}: dqkv`);
    const tensors = [...Object.values(inputs), stored.qkv, stored.dy, stored.y];
    for (const tensor of [...tensors, made.y, made.lse, gradient.dqkv]) tensor.dispose();
    document_starts?.dispose();
  },
  120_000,
);

it('rejects a device on which kernels are wrong or do not compile', async () => {
  const before = tensorCount();
  const shape = { groups: 2, columns: 32 };
  expect(await testSubgroupAttention({ shape, emulate })).toBe(true);
  expect(
    await testSubgroupAttention({
      shape,
      emulate: (code) => emulate(code).replaceAll('* p.scale', '* p.scale * 1.1'),
    }),
  ).toBe(false);
  expect(
    await testSubgroupAttention({ shape, emulate: (code) => code.replace('fn main', 'fn other') }),
  ).toBe(false);
  expect(tensorCount()).toBe(before);
  errors.length = 0;
}, 120_000);
