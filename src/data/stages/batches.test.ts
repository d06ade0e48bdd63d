import { describe, expect, test } from 'vitest';
import type { Batch } from '../../common/index.ts';
import { documentStartsOf } from '../../ops/attention/documents.ts';
import { seededRandom } from '../random.ts';
import {
  drawn,
  evaluationBatches,
  exampleBatches,
  packedBatches,
  packedEvaluationBatches,
  pairBatches,
} from './batches.ts';
import { documentStarts, packExamples, unpacked } from './packing.ts';
import type { EncodedExample, EncodedPair } from './types.ts';

const PAD = 99;

/** Prompts of mask 0 and answers of mask 1, of many lengths. */
function randomExamples(count: number, longest: number, seed = 1): EncodedExample[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const length = 2 + random.below(longest - 1);
    const prompt = 1 + random.below(length - 1);
    return {
      ids: Int32Array.from({ length }, () => random.below(90)),
      mask: Uint8Array.from({ length }, (_, i) => Number(i >= prompt)),
    };
  });
}

/** A number for a target after a context, as a model would give: any change changes it. */
function tokenLoss(context: Iterable<number>, position: number, target: number): number {
  let hash = position * 31 + target;
  for (const id of context) hash = Math.imul(hash, 33) ^ (id + 1);
  return (hash >>> 0) / 2 ** 32;
}

/** The loss that the micro-batches of a step add up, with causal attention inside documents. */
function lossOf(batches: readonly Batch[]): number {
  let sum = 0;
  for (const { batch_size, block_size, ids, targets, weights, positions, extra } of batches) {
    for (let i = 0; i < batch_size * block_size; i++) {
      const row = i - (i % block_size);
      const start = row + (extra?.document_starts?.[i] ?? 0);
      const loss = tokenLoss(ids.subarray(start, i + 1), positions[i] ?? -1, targets[i] ?? -1);
      sum += (weights[i] ?? 0) * loss;
    }
  }
  return sum;
}

/** The definition: the mean over all tokens that count. */
function meanLoss(examples: readonly EncodedExample[]): number {
  let sum = 0;
  let count = 0;
  for (const { ids, mask } of examples) {
    for (let i = 1; i < ids.length; i++) {
      if (mask[i] !== 1) continue;
      sum += tokenLoss(ids.subarray(0, i), i - 1, ids[i] ?? -1);
      count++;
    }
  }
  return sum / count;
}

const examples = randomExamples(24, 20);
const step = { pad_token_id: PAD, seed: 5, step: 0 };

describe('the loss of a step is the mean over all tokens that count', () => {
  const expected = meanLoss(examples);

  test.each([
    [24, 1, 24],
    [8, 3, 24],
    [6, 4, 24],
    [1, 24, 64],
    [12, 2, 32],
  ])('%d rows, %d micro-batches, rows of %d', (batch_size, accumulation, block_size) => {
    const batches = exampleBatches({ ...step, examples, batch_size, accumulation, block_size });
    expect(batches).toHaveLength(accumulation);
    expect(lossOf(batches)).toBeCloseTo(expected, 6);
  });

  test('in any order', () => {
    const reversed = [...examples].reverse();
    const shape = { ...step, batch_size: 24, accumulation: 1, block_size: 24 };
    expect(lossOf(exampleBatches({ ...shape, examples: reversed }))).toBeCloseTo(expected, 6);
    expect(lossOf(exampleBatches({ ...shape, examples, seed: 6 }))).toBeCloseTo(expected, 6);
  });

  test.each([20, 40, 64])('packed into rows of %d', (block_size) => {
    const rows = packExamples(examples, block_size);
    expect(rows.length).toBeLessThan(examples.length);
    const shape = { ...step, examples: rows, block_size };
    const whole = packedBatches({ ...shape, batch_size: rows.length, accumulation: 1 });
    expect(lossOf(whole)).toBeCloseTo(expected, 6);
    const single = packedBatches({ ...shape, batch_size: 1, accumulation: rows.length });
    expect(lossOf(single)).toBeCloseTo(expected, 6);
  });

  test('in an evaluation, whose last rows are padding', () => {
    const shape = { examples, batch_size: 7, block_size: 24, pad_token_id: PAD };
    const batches = evaluationBatches(shape);
    expect(batches).toHaveLength(4);
    expect(lossOf(batches)).toBeCloseTo(expected, 6);
    const rows = examples.map(unpacked);
    expect(lossOf(packedEvaluationBatches({ ...shape, examples: rows }))).toBeCloseTo(expected, 6);
  });
});

test('padding has weight 0 and is not among the tokens', () => {
  const [example] = examples;
  if (!example) throw new Error('no example');
  const shape = { ...step, examples: [example], accumulation: 1, batch_size: 1, block_size: 32 };
  const [batch] = exampleBatches(shape);
  const { length } = example.ids;
  expect(batch?.tokens).toBe(length);
  expect(batch?.ids.subarray(length).every((id) => id === PAD)).toBe(true);
  expect(batch?.weights.subarray(length - 1).every((weight) => weight === 0)).toBe(true);
});

test('a step without anything to learn has weights of 0', () => {
  const masked = examples.map(({ ids }) => ({ ids, mask: new Uint8Array(ids.length) }));
  const shape = { ...step, examples: masked, accumulation: 1, batch_size: 8, block_size: 24 };
  expect(exampleBatches(shape)[0]?.weights.every((weight) => weight === 0)).toBe(true);
});

describe('the order of the examples', () => {
  const shape = { pad_token_id: PAD, seed: 5, examples, batch_size: 4, accumulation: 2 };
  const rowsOf = (from: number, to: number) => {
    const rows: string[] = [];
    for (let at = from; at < to; at++) {
      for (const { ids } of exampleBatches({ ...shape, block_size: 24, step: at })) {
        for (let row = 0; row < 4; row++) rows.push(ids.subarray(row * 24, row * 24 + 24).join());
      }
    }
    return rows;
  };

  test('an epoch has every example once, and the next one has another order', () => {
    const first = rowsOf(0, 3);
    const second = rowsOf(3, 6);
    expect(new Set(first).size).toBe(24);
    expect([...second].sort()).toEqual([...first].sort());
    expect(second).not.toEqual(first);
  });

  test('the second epoch of a seed is not the first one of the next seed', () => {
    const numbers = Array.from({ length: 24 }, (_, i) => i);
    const order = (seed: number, step: number) => drawn({ examples: numbers, seed, step }, 24);
    expect(order(1, 1)).not.toEqual(order(2, 0));
    expect(order(1, 0)).toEqual(seededRandom(1).shuffle([...numbers]));
    // As `Epochs(24, 1).step(1, 24)` of checkpoint/bundle/python/order.py.
    expect(order(1, 1)).toEqual([
      15, 8, 13, 17, 9, 10, 4, 18, 2, 5, 19, 0, 20, 11, 16, 21, 3, 12, 23, 7, 1, 6, 14, 22,
    ]);
  });

  test('a step has the same batches whatever was asked before', () => {
    const expected = rowsOf(4, 5);
    rowsOf(0, 2);
    expect(rowsOf(4, 5)).toEqual(expected);
  });
});

describe('packing', () => {
  test('keeps every example whole and fills rows well', () => {
    const rows = packExamples(examples, 24);
    const packed = rows.flatMap(({ ids, documents }) => {
      let offset = 0;
      return documents.map((size) => ids.slice(offset, (offset += size)).join());
    });
    expect(packed.sort()).toEqual(examples.map(({ ids }) => ids.join()).sort());
    const tokens = examples.reduce((sum, { ids }) => sum + ids.length, 0);
    expect(rows.every(({ ids }) => ids.length <= 24)).toBe(true);
    expect(rows.length).toBeLessThanOrEqual(Math.ceil((tokens / 24) * 1.15));
  });

  test('chooses the row that an example fills best', () => {
    const sized = (length: number) => ({
      ids: new Int32Array(length),
      mask: new Uint8Array(length),
    });
    const rows = packExamples([7, 6, 3, 4].map(sized), 10);
    expect(rows.map(({ documents }) => documents)).toEqual([
      [7, 3],
      [6, 4],
    ]);
  });

  test('never learns the first token of an example from the one before', () => {
    const everything = examples.map(({ ids }) => ({
      ids,
      mask: new Uint8Array(ids.length).fill(1),
    }));
    for (const { mask, documents } of packExamples(everything, 40)) {
      let offset = 0;
      for (const size of documents) {
        expect(mask[offset]).toBe(0);
        offset += size;
      }
    }
  });

  test('gives the document starts that attention inside documents takes', () => {
    for (const documents of [[], [3], [2, 5, 1], [4, 8]])
      expect(documentStarts(documents, 12)).toEqual(documentStartsOf(documents, 12));
  });
});

test('pairs lie side by side, chosen first, and only answers count', () => {
  const pairs = Array.from({ length: 6 }, (_, p): EncodedPair => {
    const [chosen, rejected] = randomExamples(2, 10, 100 + p);
    if (!chosen || !rejected) throw new Error('no pair');
    const example = { prompt: '', chosen: 'a', rejected: 'b' };
    return { chosen, rejected, margin: 0, example };
  });
  const batches = pairBatches({
    ...step,
    examples: pairs,
    batch_size: 4,
    accumulation: 3,
    block_size: 16,
  });
  expect(batches.map((group) => group.pairs.length)).toEqual([2, 2, 2]);
  expect(new Set(batches.flatMap((group) => group.pairs)).size).toBe(6);
  for (const { batch, pairs: inBatch } of batches) {
    inBatch.forEach(({ chosen, rejected }, p) => {
      [chosen, rejected].forEach(({ ids, mask }, side) => {
        const start = (2 * p + side) * 16;
        expect(batch.ids.slice(start, start + ids.length)).toEqual(ids);
        const weights = Array.from(batch.weights.subarray(start, start + ids.length - 1));
        expect(weights).toEqual([...mask.subarray(1)]);
      });
    });
  }
});
