/**
 * More logits than float32 can index (2^24), as with 2,048 tokens and a vocabulary of 10,000: tfjs
 * keeps the result of a matmul in packed textures, where WebGL finds single values by a float index.
 */
import { dispose, tensor, tensor1d, tidy } from '@tensorflow/tfjs-core';
import { it } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { caseRandom } from '../../testing/random.ts';
import { run } from '../define.ts';
import { matmul, referenceMatmul } from '../matmul/matmul.ts';
import { crossEntropy } from './cross_entropy.ts';

it("takes each row's own target on WebGL", async () => {
  await startBackend('webgl');
  const n = 1800;
  const v = 10000;
  const random = caseRandom(5);
  const x = random.normal([n, 4]);
  const weight = random.normal([v, 4]);
  const rows = [0, 1600, 1676, 1678, 1679, 1700, 1751, 1798, 1799];
  const ids = Int32Array.from({ length: n }, (_x, i) => (i * 7919 + 1) % v);
  const a = tensor(Float32Array.from(x.data), [n, 4]);
  const b = tensor(Float32Array.from(weight.data), [v, 4]);
  const targets = tensor1d(ids, 'int32');
  const out = tidy(() =>
    run(
      crossEntropy,
      { logits: referenceMatmul(a, b, { transpose_a: false, transpose_b: true }), targets },
      {},
    ),
  );
  const [loss = [], lse = []] = await readback([out.loss, out.lse]);
  const checked = {
    shape: [rows.length, 4],
    dtype: 'float32' as const,
    data: Float64Array.from(rows.flatMap((i) => [...x.data.subarray(4 * i, 4 * i + 4)])),
  };
  const expected = crossEntropy.oracle(
    {
      logits: matmul.oracle({ a: checked, b: weight }, { transpose_a: false, transpose_b: true }).c,
      targets: {
        shape: [rows.length],
        dtype: 'int32',
        data: Float64Array.from(rows, (i) => ids[i] ?? NaN),
      },
    },
    {},
  );
  expectClose(
    rows.map((i) => loss[i] ?? NaN),
    expected.loss.data,
    { atol: 1e-5, rtol: 1e-4 },
    'loss',
  );
  expectClose(
    rows.map((i) => lse[i] ?? NaN),
    expected.lse.data,
    { atol: 1e-5, rtol: 1e-4 },
    'lse',
  );
  dispose([a, b, targets, ...Object.values(out)]);
}, 60_000);
