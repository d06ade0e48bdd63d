import { expect, it } from 'vitest';
import type { MemberRow } from '../../store/pool/index.ts';
import { refusedOf } from './refused.ts';

const rowOf = (member: number, changes: Partial<MemberRow> = {}): MemberRow => ({
  member,
  name: `Member ${member}`,
  phase: 'training',
  shard: null,
  steps: 10,
  done: 0,
  rate: 0,
  contributed: 0,
  late: 0,
  refused: 0,
  refused_in_a_row: 0,
  refused_why: '',
  silent_seconds: 0,
  ...changes,
});
const members = (rows: readonly MemberRow[]) => rows.map(({ member }) => member);

it('names members that were refused and have not contributed since, unless they are gone', () => {
  const { rows, isEverybody } = refusedOf([
    rowOf(1),
    rowOf(2, { refused: 3, refused_in_a_row: 1 }),
    rowOf(3, { refused: 3 }),
    rowOf(4, { refused: 3, refused_in_a_row: 3, phase: 'away' }),
    rowOf(5, { refused: 3, refused_in_a_row: 3, phase: 'removed' }),
  ]);
  expect(members(rows)).toEqual([2]);
  expect(isEverybody).toBe(false);
});

it('says that nothing counts if all who train are refused, whoever sleeps or prepares', () => {
  const refused = { refused: 1, refused_in_a_row: 1 };
  const rows = [
    rowOf(1, refused),
    rowOf(2, { ...refused, phase: 'delivered' }),
    rowOf(3, { phase: 'silent' }),
    rowOf(4, { phase: 'joining' }),
  ];
  expect(refusedOf(rows).isEverybody).toBe(true);
  expect(refusedOf([...rows, rowOf(5)]).isEverybody).toBe(false);
  expect(refusedOf([]).isEverybody).toBe(false);
});
