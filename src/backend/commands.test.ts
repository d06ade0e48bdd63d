import { describe, expect, it } from 'vitest';
import { lifetimesOf, prune, type Ref } from './commands.ts';
import { crossesBoundary } from './lifetimes.ts';

const transient = (index: number): Ref => ({ kind: 'transient', index });

/** A command that writes one transient and reads others. */
const command = (writes: number, ...reads: number[]) => ({
  bindings: [transient(writes), ...reads.map(transient)],
  written: 1,
});

describe('prune', () => {
  it('removes commands whose results nothing reads', () => {
    const commands = [command(0), command(1, 0), command(2, 0), command(3, 2)];
    expect(prune(commands, [], [transient(1)]).commands).toEqual([commands[0], commands[1]]);
  });

  it('keeps what a boundary names, at the same place among the remaining commands', () => {
    const commands = [command(0), command(1), command(2, 1), command(3, 0)];
    const boundary = { command: 3, ref: transient(2) };
    const pruned = prune(commands, [boundary], [transient(3)]);
    expect(pruned).toEqual({ commands, boundaries: [boundary] });
    const withoutSecond = prune(commands, [{ command: 3, ref: transient(0) }], [transient(3)]);
    expect(withoutSecond.commands).toEqual([commands[0], commands[3]]);
    expect(withoutSecond.boundaries).toEqual([{ command: 1, ref: transient(0) }]);
  });

  it('removes a command that writes the tensor only after the boundary', () => {
    const commands = [command(0), command(0)];
    const pruned = prune(commands, [{ command: 1, ref: transient(0) }], []);
    expect(pruned.commands).toEqual([commands[0]]);
  });

  it('looks at each boundary a constant number of times', () => {
    const looksOf = (count: number): number => {
      let looks = 0;
      const commands = Array.from({ length: count }, (_, i) => command(i));
      const boundaries = commands.map((_, i) => ({
        get command() {
          looks++;
          return i + 1;
        },
        ref: transient(i),
      }));
      expect(prune(commands, boundaries, []).commands).toHaveLength(count);
      return looks;
    };
    expect(looksOf(200)).toBe(2 * looksOf(100));
  });
});

describe('lifetimesOf', () => {
  it('keeps a tensor that a boundary names alive on both sides of it', () => {
    const commands = [command(0), command(1, 0), command(2, 1), command(3, 2)];
    const boundaries = [{ command: 3, ref: transient(0) }];
    expect(lifetimesOf([4, 8, 12, 16, 20], commands, boundaries)).toEqual([
      { bytes: 4, first: 0, last: 3, named: true },
      { bytes: 8, first: 1, last: 2, named: false },
      { bytes: 12, first: 2, last: 3, named: false },
      { bytes: 16, first: 3, last: 3, named: false },
      null,
    ]);
  });

  it('begins the life of a tensor that a collective writes at its boundary', () => {
    const commands = [command(0), command(1, 2)];
    const [, , received] = lifetimesOf([4, 4, 4], commands, [{ command: 1, ref: transient(2) }]);
    expect(received).toEqual({ bytes: 4, first: 0, last: 1, named: true });
  });
});

describe('crossesBoundary', () => {
  it('is true for tensors that are written before a boundary and read after it', () => {
    const life = (first: number, last: number) => ({ bytes: 4, first, last });
    expect(crossesBoundary(life(1, 3), [3])).toBe(true);
    expect(crossesBoundary(life(1, 2), [3])).toBe(false);
    expect(crossesBoundary(life(3, 5), [3])).toBe(false);
    expect(crossesBoundary(life(3, 5), [1, 4, 9])).toBe(true);
    expect(crossesBoundary(life(0, 9), [])).toBe(false);
  });
});
