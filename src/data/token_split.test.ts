import { describe, expect, it } from 'vitest';
import { checkIds, makeTokenSplit, makeTokenSplitInSlices } from './token_split.ts';
import { byteTokenizer } from './tokenizer/byte.ts';
import { trainChar } from './tokenizer/char.ts';

describe('makeTokenSplit', () => {
  const split = {
    name: '',
    source: '',
    separator: '\n',
    continuous: false,
    table: null,
    notes: [],
    train: ['ab', 'c'],
    val: ['é'],
    duplicates_removed: 0,
  };
  it('ends documents with the end-of-text token, or else with the separator', () => {
    expect([...makeTokenSplit(split, byteTokenizer()).train]).toEqual([97, 98, 256, 99, 256]);
    expect([...makeTokenSplit({ ...split, continuous: true }, byteTokenizer()).train]).toEqual([
      97, 98, 10, 99, 10,
    ]);
    const tokens = makeTokenSplit(split, trainChar(['abcé\n']));
    expect([...tokens.train]).toEqual([1, 2, 0, 3, 0]);
    expect([...tokens.val]).toEqual([4, 0]);
    expect([...tokens.bytes_per_token]).toEqual([1, 1, 1, 1, 2]);
  });
  it('gives the same tokens in slices, and can be cancelled between slices', async () => {
    const long = {
      ...split,
      train: Array.from({ length: 3000 }, (_, i) => `document ${i} `.repeat(100)),
    };
    const progress: number[] = [];
    const tokens = await makeTokenSplitInSlices(long, byteTokenizer(), {
      onProgress: ({ done }) => progress.push(done),
    });
    expect(
      Buffer.compare(
        Buffer.from(tokens.train.buffer),
        Buffer.from(makeTokenSplit(long, byteTokenizer()).train.buffer),
      ),
    ).toBe(0);
    expect(progress.at(-1)).toBe(3001);
    const cancel = new AbortController();
    const cancelled = makeTokenSplitInSlices(long, byteTokenizer(), {
      signal: cancel.signal,
      onProgress: () => cancel.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({
      code: 'cancelled',
      message: 'Encoding the text was cancelled.',
    });
    await expect(
      makeTokenSplitInSlices(long, byteTokenizer(), { signal: cancel.signal }),
    ).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('checkIds', () => {
  it('refuses ids outside the vocabulary', () => {
    expect(() => checkIds(Int32Array.of(0, 5), 5)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
    expect(() => checkIds(Int32Array.of(-1), 5)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
    expect(checkIds(Int32Array.of(0, 4), 5)).toBeUndefined();
  });
});
