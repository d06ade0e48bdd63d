/**
 * Matmuls with subgroup matrices, whose fragments are emulated: every form, epilogues, edges and
 * parts of K, with operands in float16 and in float32.
 */
import { tensor } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { convert, readback, startBackend, withActivations } from '../../backend/index.ts';
import { roundToFloat16 } from '../../testing/check_float16.ts';
import { emulateSubgroups as emulate } from '../../testing/emulate_subgroups.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { caseRandom } from '../../testing/random.ts';
import { gelu, relu2 } from '../activation/functions.ts';
import type { HostTensor } from '../define.ts';
import { matmulKernel } from './kernel.ts';
import { matmul } from './matmul.ts';
import { planOf } from './plan.ts';
import type { SubgroupTile } from './tile.ts';

const TILES: SubgroupTile[] = [
  { name: 'subgroups', BM: 32, BN: 64, BK: 32, WM: 16, WN: 32 },
  { name: 'one subgroup', BM: 32, BN: 32, BK: 16, WM: 32, WN: 32 },
];
const FORMS = [
  { form: 'nn', transpose_a: false, transpose_b: false },
  { form: 'nt', transpose_a: false, transpose_b: true },
  { form: 'tn', transpose_a: true, transpose_b: false },
] as const;
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
const upload = (host: HostTensor) => tensor(Float32Array.from(host.data), [...host.shape]);

it.each(
  TILES.flatMap((tile) =>
    FORMS.flatMap((form) =>
      (
        [
          [48, 80, 52, 1],
          [16, 32, 96, 2],
        ] as const
      ).map(([M, N, K, parts]) => ({ tile, ...form, M, N, K, parts, title: tile.name })),
    ),
  ),
)(
  '$title $form $M x $N x $K in $parts parts',
  async ({ tile, transpose_a, transpose_b, M, N, K, parts }) => {
    const random = caseRandom(M * N + K);
    const attrs = { transpose_a, transpose_b };
    const plan = () => planOf(tile, { M, N, K }, parts);
    const a = rounded(random.normal(transpose_a ? [K, M] : [M, K]));
    const b = rounded(random.normal(transpose_b ? [N, K] : [K, N], 0.3));
    const bias = random.normal([N]);
    const residual = rounded(random.normal([M, N]));
    const x = convert(upload(a), 'float16');
    const w = upload(b);
    const kept = convert(upload(residual), 'float16');
    const product = matmul.oracle({ a, b }, attrs).c.data;
    const plain = matmulKernel(x, w, { ...attrs, plan, emulate });
    const added = matmulKernel(x, w, { ...attrs, plan, emulate, into: upload(residual) });
    const [before, activated, slope, mixed] = withActivations('float16', () => {
      const after = convert(tensor(new Float32Array(M * N), [M, N]), 'float16');
      return [
        matmulKernel(x, convert(w, 'float16'), {
          ...attrs,
          plan,
          emulate,
          bias: upload(bias),
          residual: kept,
          apply: { f: gelu, to: after },
        }),
        after,
        matmulKernel(x, w, { ...attrs, plan, emulate, derivative: { f: relu2, before: kept } }),
        matmulKernel(x, w, { ...attrs, plan, emulate, residual: upload(residual) }),
      ];
    });
    const u = product.map((v, i) => v + (bias.data[i % N] ?? NaN) + (residual.data[i] ?? NaN));
    const got = await readback([plain, added, before, activated, slope, mixed]);
    // Results stored as float32 differ only by the order of additions; the others are also rounded to
    // 11 bits.
    [product, product.map((v, i) => v + (residual.data[i] ?? NaN))].forEach((expected, i) => {
      expectClose(got[i] ?? [], expected, { atol: 1e-5, rtol: 1e-4 });
    });
    [
      u,
      u.map(gelu.value),
      product.map((v, i) => v * relu2.derivative(residual.data[i] ?? NaN)),
      product.map((v, i) => v + (residual.data[i] ?? NaN)),
    ].forEach((expected, i) => {
      expectClose(got[i + 2] ?? [], expected, { atol: 1e-3, rtol: 1e-3 });
    });
  },
  60_000,
);
