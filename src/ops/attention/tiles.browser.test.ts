/**
 * Every tile on one device, where `pickTile` would only choose the small one: against the float64
 * oracle, over edges of tiles, with and without documents.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { toTensors } from '../../testing/check.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { caseRandom } from '../../testing/random.ts';
import type { HostTensor } from '../define.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { randomGradInputs, randomQkv } from './cases.ts';
import { documentStartsOf } from './documents.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle } from './oracle.ts';
import { LARGE, SMALL, type Tile } from './tile.ts';

// Software rendering takes minutes to compile tiles that are both large and unrolled: the bench
// compares those on a GPU.
const TILES: Record<string, Tile> = {
  small: SMALL,
  '16 threads a row': { ...LARGE, unroll: 1 },
  'loops written out': { ...SMALL, unroll: 8 },
};
interface Shape {
  attrs: AttentionAttrs;
  /** Lengths of the documents of each sequence. */
  documents?: number[][];
}
const SHAPES: Record<string, Shape> = {
  'two tiles, grouped heads': {
    attrs: { B: 2, T: 70, n_head: 2, n_kv_head: 1, head_dim: 8, window: 0 },
  },
  'a window over tiles': {
    attrs: { B: 1, T: 70, n_head: 1, n_kv_head: 1, head_dim: 4, window: 20 },
  },
  'head_dim of 64': { attrs: { B: 1, T: 66, n_head: 2, n_kv_head: 2, head_dim: 64, window: 0 } },
  'head_dim of 37': { attrs: { B: 1, T: 33, n_head: 1, n_kv_head: 1, head_dim: 37, window: 0 } },
  'documents and a window, grouped heads': {
    attrs: { B: 2, T: 70, n_head: 2, n_kv_head: 1, head_dim: 8, window: 20 },
    documents: [
      [1, 31, 38],
      [40, 7, 20],
    ],
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

const startsOf = ({ B, T }: AttentionAttrs, documents: number[][]): HostTensor => ({
  shape: [B * T],
  dtype: 'int32',
  data: Float64Array.from(documents.flatMap((lengths) => [...documentStartsOf(lengths, T)])),
});

describe.each(Object.entries(TILES))('tile %s', (_name, tile) => {
  // Unrolled sources compile slowly in software: shapes with windows and whole chunks are enough.
  it.each(Object.entries(SHAPES).filter(([name]) => tile.unroll === 1 || /window|64/u.test(name)))(
    '%s',
    async (name, { attrs, documents }) => {
      const random = caseRandom(3);
      const document_starts = documents === undefined ? undefined : startsOf(attrs, documents);
      const options = document_starts ? { document_starts } : {};
      const hosts = randomGradInputs(random, attrs, options);
      const { dqkv } = attentionGradOracle(hosts, attrs, options);
      const inputs = toTensors(['qkv', 'dy', 'y', 'lse'], hosts);
      const starts = document_starts && toTensors(['starts'], { starts: document_starts }).starts;
      const kernelOptions = { tile, document_starts: starts };
      const made = attentionKernel(inputs.qkv, attrs, kernelOptions);
      const gradient = attentionGradKernel(inputs, attrs, kernelOptions);
      const [gotY, gotLse, gotD] = await readback([made.y, made.lse, gradient.dqkv]);
      const { y, lse } = hosts;
      expectClose(gotY ?? [], y.data, { atol: 1e-5, rtol: 1e-4 }, `${name}: y`);
      expectClose(gotLse ?? [], lse.data, { atol: 1e-5, rtol: 1e-4 }, `${name}: lse`);
      expectClose(gotD ?? [], dqkv.data, { atol: 1e-4, rtol: 1e-3 }, `${name}: dqkv`);
      const tensors = [...Object.values(inputs), made.y, made.lse, gradient.dqkv];
      for (const tensor of tensors) tensor.dispose();
      starts?.dispose();
    },
  );
});

it('gives the same bits for one document per sequence as without documents', async () => {
  const attrs: AttentionAttrs = {
    B: 2,
    T: 70,
    n_head: 2,
    n_kv_head: 1,
    head_dim: 8,
    window: 0,
  };
  const hosts = randomGradInputs(caseRandom(5), attrs);
  const starts = startsOf(attrs, [[attrs.T], [attrs.T]]);
  const inputs = toTensors(['qkv', 'dy', 'y', 'lse', 'starts'], { ...hosts, starts });
  const plain = attentionKernel(inputs.qkv, attrs);
  const packed = attentionKernel(inputs.qkv, attrs, { document_starts: inputs.starts });
  const plainGrad = attentionGradKernel(inputs, attrs);
  const packedGrad = attentionGradKernel(inputs, attrs, { document_starts: inputs.starts });
  const tensors = [plain.y, packed.y, plain.lse, packed.lse, plainGrad.dqkv, packedGrad.dqkv];
  const [y, packedY, lse, packedLse, dqkv, packedDqkv] = await readback(tensors);
  expect(packedY).toEqual(y);
  expect(packedLse).toEqual(lse);
  expect(packedDqkv).toEqual(dqkv);
  for (const tensor of [...Object.values(inputs), ...tensors]) tensor.dispose();
});

it('gives the same result for packed documents as for each by itself', async () => {
  const lengths = [37, 5, 28];
  const T = 70;
  const heads = { n_head: 2, n_kv_head: 1, head_dim: 8, window: 0 };
  const attrs: AttentionAttrs = { B: 1, T, ...heads };
  const qkv = randomQkv(caseRandom(7), attrs);
  const width = qkv.data.length / T;
  const starts = startsOf(attrs, [lengths]);
  const inputs = toTensors(['qkv', 'starts'], { qkv, starts });
  const packed = attentionKernel(inputs.qkv, attrs, { document_starts: inputs.starts });
  const [packedY = []] = await readback([packed.y]);
  let first = 0;
  for (const length of lengths) {
    const rows = { ...qkv, shape: [length, width] };
    const data = qkv.data.slice(first * width, (first + length) * width);
    const { y } = attentionOracle({ ...rows, data }, { B: 1, T: length, ...heads });
    const d = y.data.length / length;
    const got = Array.from(packedY).slice(first * d, (first + length) * d);
    expectClose(got, y.data, { atol: 1e-5, rtol: 1e-4 }, `document at ${first}`);
    first += length;
  }
  for (const tensor of [inputs.qkv, inputs.starts, packed.y, packed.lse]) tensor.dispose();
});
