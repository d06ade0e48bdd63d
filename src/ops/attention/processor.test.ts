/**
 * Attention on the processor where its kernels cut the work: over blocks of queries and parts of keys,
 * and with keys of a part that do not fit scratch memory. Cases of the operations are too small for that.
 */
import { beforeAll, expect, it } from 'vitest';
import { readback, tensorCount } from '../../backend/index.ts';
import { FORWARD, GRADIENT, releaseAll, toTensors } from '../../testing/check.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { startEngine } from '../../testing/node_engine.ts';
import { caseRandom } from '../../testing/random.ts';
import type { HostTensor } from '../define.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';
import { randomGradInputs } from './cases.ts';
import { documentStartsOf } from './documents.ts';
import { hostKeep } from './dropout_mask.ts';
import { attentionGradOracle } from './oracle.ts';
import { attentionGradOnProcessor, attentionOnProcessor } from './processor.ts';

interface Shape {
  attrs: AttentionAttrs;
  /** Lengths of the documents of each sequence. */
  documents?: number[][];
  drop?: Dropout;
}
const SHAPES: Record<string, Shape> = {
  'several blocks of queries': {
    attrs: { B: 8, T: 150, n_head: 1, n_kv_head: 1, head_dim: 8, window: 0 },
  },
  'several parts of keys, a window, grouped heads': {
    attrs: { B: 1, T: 270, n_head: 4, n_kv_head: 2, head_dim: 8, window: 130 },
  },
  'parts of keys that later queries do not see': {
    attrs: { B: 1, T: 400, n_head: 1, n_kv_head: 1, head_dim: 16, window: 40 },
  },
  'documents and dropout over parts of keys': {
    attrs: { B: 2, T: 133, n_head: 2, n_kv_head: 1, head_dim: 12, window: 0 },
    documents: [
      [25, 13, 20],
      [13, 99],
    ],
    drop: { site: 7, rate: 0.25 },
  },
  'keys of a part that do not fit scratch memory': {
    attrs: { B: 1, T: 68, n_head: 1, n_kv_head: 1, head_dim: 2056, window: 0 },
  },
};

beforeAll(startEngine);

const int32 = (data: readonly number[]): HostTensor => ({
  shape: [data.length],
  dtype: 'int32',
  data: Float64Array.from(data),
});

it.each(Object.entries(SHAPES))('is right over %s', async (_name, { attrs, documents, drop }) => {
  const { T } = attrs;
  const rng = int32([1337, 3, 5, 0]);
  const starts = documents?.flatMap((lengths) => [...documentStartsOf(lengths, T)]);
  const document_starts = starts && int32(starts);
  const keep = drop && hostKeep(rng, { ...attrs, ...drop });
  const hosts = randomGradInputs(caseRandom(11), attrs, { keep, document_starts });
  const expected = attentionGradOracle(hosts, attrs, { keep, document_starts });
  const before = tensorCount();
  const inputs = toTensors(['qkv', 'y', 'lse', 'dy'], hosts);
  const masks = toTensors(['rng', 'starts'], { rng, starts: document_starts ?? int32([0]) });
  const options = {
    drop: drop && { ...drop, rng: masks.rng },
    document_starts: document_starts && masks.starts,
  };
  const outputs = attentionOnProcessor(inputs.qkv, attrs, options);
  const gradients = attentionGradOnProcessor(inputs, attrs, options);
  const [y = [], lse = [], dqkv = []] = await readback([outputs.y, outputs.lse, gradients.dqkv]);
  expectClose(y, hosts.y.data, FORWARD, 'y');
  expectClose(lse, hosts.lse.data, FORWARD, 'lse');
  expectClose(dqkv, expected.dqkv.data, GRADIENT, 'dqkv');
  releaseAll(['qkv', 'y', 'lse', 'dy'], inputs);
  releaseAll(['rng', 'starts'], masks);
  releaseAll(['y', 'lse'], outputs);
  releaseAll(['dqkv'], gradients);
  expect(tensorCount()).toBe(before);
});

it.each([NaN, Infinity, -Infinity])('passes on a query that is %d', async (value) => {
  const attrs = { B: 1, T: 9, n_head: 1, n_kv_head: 1, head_dim: 4, window: 0 };
  const before = tensorCount();
  const { qkv } = randomGradInputs(caseRandom(5), attrs);
  // The first query sees its own key only, whose score is then the value or its negative.
  qkv.data[0] = value;
  const inputs = toTensors(['qkv'], { qkv });
  const outputs = attentionOnProcessor(inputs.qkv, attrs);
  const [y = [], lse = []] = await readback([outputs.y, outputs.lse]);
  expect(y[0]).toBeNaN();
  expect(lse[0]).toBeNaN();
  expect(y[4 * attrs.T - 1]).not.toBeNaN();
  releaseAll(['qkv'], inputs);
  releaseAll(['y', 'lse'], outputs);
  expect(tensorCount()).toBe(before);
});
