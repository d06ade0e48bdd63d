import { describe, expect, it } from 'vitest';
import { makeTokenizer } from './index.ts';

describe('makeTokenizer', () => {
  it('collects characters from both sides of the split and from the separator', async () => {
    const split = {
      name: '',
      source: '',
      separator: '\n',
      continuous: false,
      table: null,
      notes: [],
      train: ['ab'],
      val: ['c'],
      duplicates_removed: 0,
    };
    expect((await makeTokenizer({ kind: 'char', vocab_size: 256 }, split)).vocab_size).toBe(4);
    expect((await makeTokenizer({ kind: 'byte', vocab_size: 256 }, split)).vocab_size).toBe(257);
  });
});
