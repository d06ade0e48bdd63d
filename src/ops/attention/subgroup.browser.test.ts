/**
 * Attention by subgroup matrices, whose fragments are emulated here: against the float64 oracle
 * over what the halves hold, over edges, windows and groups.
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
import { roundToHalf } from '../../testing/check_halves.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { caseRandom } from '../../testing/random.ts';
import { toTensors } from '../../testing/check.ts';
import { columns } from '../heads/layout.ts';
import type { HostTensor } from '../define.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionGradOracle, attentionOracle, keepAll } from './oracle.ts';
import { testSubgroupAttention } from './self_test.ts';
import type { SubgroupShape } from './subgroup.ts';
import { attentionGradSubgroupKernel, attentionSubgroupKernel } from './subgroup_kernels.ts';

const SHAPES: [string, AttentionAttrs, SubgroupShape][] = [
  [
    'two tiles, grouped heads',
    { B: 2, T: 70, n_head: 4, n_kv_head: 2, head_dim: 16, window: 0 },
    { groups: 2, columns: 64 },
  ],
  [
    'a window over tiles',
    { B: 1, T: 70, n_head: 1, n_kv_head: 1, head_dim: 32, window: 20 },
    { groups: 2, columns: 32 },
  ],
  [
    'head_dim of 80',
    { B: 1, T: 40, n_head: 1, n_kv_head: 1, head_dim: 80, window: 0 },
    { groups: 2, columns: 16 },
  ],
  [
    'one token',
    { B: 1, T: 1, n_head: 1, n_kv_head: 1, head_dim: 16, window: 0 },
    { groups: 1, columns: 16 },
  ],
];
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
const rounded = (t: HostTensor): HostTensor => ({ ...t, data: t.data.map(roundToHalf) });

it.each(SHAPES)(
  '%s',
  async (name, a, shape) => {
    const random = caseRandom(3);
    const qkv = rounded(random.normal([a.B * a.T, columns(a).width]));
    const dy = rounded(random.normal([a.B * a.T, columns(a).q]));
    const wanted = attentionOracle(qkv, a, keepAll);
    const y = rounded(wanted.y);
    const { dqkv } = attentionGradOracle({ qkv, y, dy }, a, keepAll);
    const inputs = toTensors(['qkv', 'dy', 'y', 'lse'], { qkv, dy, y, lse: wanted.lse });
    const halves = {
      qkv: convert(inputs.qkv, 'float16'),
      dy: convert(inputs.dy, 'float16'),
      y: convert(inputs.y, 'float16'),
      lse: inputs.lse,
    };
    const made = withActivations('float16', () =>
      attentionSubgroupKernel(halves.qkv, a, { shape, emulate }),
    );
    const gradient = withActivations('float16', () =>
      attentionGradSubgroupKernel(halves, a, {
        shape: { ...shape, columns: Math.min(shape.columns, 32) },
        emulate,
      }),
    );
    const [gotY, gotLse, gotD] = await readback([made.y, made.lse, gradient.dqkv]);
    // Weights and their gradients are rounded to 11 bits on the way.
    expectClose(gotY ?? [], wanted.y.data, { atol: 2e-3, rtol: 2e-3 }, `${name}: y`);
    expectClose(gotLse ?? [], wanted.lse.data, { atol: 1e-5, rtol: 1e-4 }, `${name}: lse`);
    expectClose(gotD ?? [], dqkv.data, { atol: 4e-3, rtol: 4e-3 }, `${name}: dqkv`);
    for (const t of [
      ...Object.values(inputs),
      halves.qkv,
      halves.dy,
      halves.y,
      made.y,
      made.lse,
      gradient.dqkv,
    ])
      t.dispose();
  },
  120_000,
);

it('passes its test of a device, and fails it where it does not compile', async () => {
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
