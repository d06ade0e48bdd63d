import { describe, expect, it } from 'vitest';
import { memorizationIndex } from './memorization.ts';

describe('memorizationIndex', () => {
  const index = memorizationIndex({ train: ['ann', 'joanna'], separator: '\n' });
  it('finds any text within the training text', () => {
    expect([
      index.contains('oann'),
      index.contains('\nann\n'),
      index.contains('joanna\n'),
      index.contains('ann\njo'),
    ]).toEqual([true, true, true, true]);
    expect([index.contains('anns'), index.contains('\nanna\n'), index.contains('')]).toEqual([
      false,
      false,
      false,
    ]);
  });
  it('tells a whole document from part of one', () => {
    expect([
      index.isDocument('ann'),
      index.isDocument('\njoanna\n'),
      index.isDocument('oann'),
    ]).toEqual([true, true, false]);
  });
});
