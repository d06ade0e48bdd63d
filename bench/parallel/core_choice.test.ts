import { expect, test } from 'vitest';
import { chooseCores, type TimeTogether } from './core_choice.ts';

const processors = Array.from({ length: 16 }, (_, i) => i);

/** Two processors are threads of one core if `siblingOf` says so; `busy` ones have a slow neighbour. */
function machine(siblingOf: (core: number) => number, busy: readonly number[] = []): TimeTogether {
  return (cores) =>
    Promise.resolve(
      cores.map((core) => (cores.includes(siblingOf(core)) || busy.includes(core) ? 16 : 10)),
    );
}

test('no two chosen processors are threads of one core, whichever way they are numbered', async () => {
  for (const siblingOf of [(core: number) => core ^ 1, (core: number) => (core + 8) % 16]) {
    const { cores, together, disturbing } = await chooseCores(processors, 8, machine(siblingOf));
    expect(new Set(cores.map((core) => Math.min(core, siblingOf(core)))).size).toBe(8);
    expect(Math.max(...together)).toBe(1);
    const [first = NaN] = cores;
    expect(disturbing).toEqual({ [siblingOf(first)]: 1.6 });
  }
});

test('a processor that something else slows down is not chosen while there are others', async () => {
  const { cores, alone } = await chooseCores(
    processors,
    4,
    machine((core) => core ^ 1, [0, 8]),
  );
  expect(cores).toHaveLength(4);
  expect(cores).not.toContain(0);
  expect(cores).not.toContain(8);
  expect(alone[8]).toBe(1.6);
});

test('if there are too few cores, the rest are those that disturb least', async () => {
  const { cores } = await chooseCores(
    [0, 1, 2, 3],
    3,
    machine((core) => core ^ 1),
  );
  expect(new Set(cores).size).toBe(3);
});

test('all processors are chosen if there are fewer than threads', async () => {
  const { cores } = await chooseCores(
    [0, 1],
    9,
    machine((core) => core ^ 1),
  );
  expect(cores).toHaveLength(2);
});
