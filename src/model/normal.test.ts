import { afterEach, describe, expect, it, vi } from 'vitest';
import { initialValues } from './init.ts';
import { fillNormal } from './normal.ts';
import type { Parameter } from './parameters.ts';

/** What the state of mulberry32 advances by. */
const INCREMENT = 0x6d2b79f5;

function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + INCREMENT) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box and Muller, as runs of all versions have drawn their weights. */
function fillPlainly(values: Float32Array, std: number, seed: number): Float32Array {
  const next = uniform(seed);
  for (let i = 0; i < values.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - next()));
    const angle = 2 * Math.PI * next();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
  return values;
}

const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer);

/** FNV-1a, 32 bits, over the words. */
function hashOf(values: Float32Array): string {
  let hash = 0x811c9dc5;
  for (const word of bitsOf(values)) hash = Math.imul(hash ^ word, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

describe('fillNormal', () => {
  it.each([1, 2, 3, 511, 512, 513, 1_000_001])(
    'draws %i values as Math.log, Math.cos and Math.sin give them, to the bit',
    (length) => {
      for (const seed of [0, 1337, 0xffffffff, -5]) {
        const expected = bitsOf(fillPlainly(new Float32Array(length), 0.02, seed));
        const drawn = bitsOf(fillNormal(new Float32Array(length), 0.02, seed));
        expect(drawn.findIndex((word, i) => word !== expected[i])).toBe(-1);
      }
    },
  );

  // States of the generator that give 0, 1, the quarters of a turn and 2^32 - 1.
  it.each([0, 4078400240, 2782807133, 3356394488, 2317471376, 1080371100, 2225710159])(
    'keeps the bits, and the signs of zeros, of the extreme number that follows from state %i',
    (state) => {
      for (const place of [1, 2]) {
        const seed = state - place * INCREMENT;
        const drawn = fillNormal(new Float32Array(2), 0.02, seed);
        expect(bitsOf(drawn)).toEqual(bitsOf(fillPlainly(new Float32Array(2), 0.02, seed)));
      }
    },
  );

  describe('in cost', () => {
    afterEach(() => vi.restoreAllMocks());

    it('calls Math.log, Math.cos and Math.sin for less than one value in 500', () => {
      const length = 200_000;
      const spies = (['log', 'cos', 'sin'] as const).map((name) => vi.spyOn(Math, name));
      fillNormal(new Float32Array(length), 0.02, 3);
      for (const spy of spies) expect(spy.mock.calls.length).toBeLessThan(length / 500);
    });
  });
});

describe('initialValues', () => {
  const parameter = (name: string, shape: number[], std: number): Parameter => ({
    name,
    shape,
    init: { kind: 'normal', std },
    decay: true,
    kind: 'matrix',
    parts: [],
  });

  it.each([
    ['transformer.wte.weight', [28, 64], 0.02, 1337, 'd390a0db'],
    ['transformer.wpe.weight', [256, 768], 0.02, 0, 'ba5f79ea'],
    ['transformer.h.0.attn.c_attn.weight', [64, 192], 0.02, 1, 'e0c53734'],
    ['transformer.h.11.mlp.c_proj.weight', [3072, 768], 0.02 / Math.sqrt(24), 1337, '8a1ec24e'],
    ['model.embed_tokens.weight', [65, 768], 0.02, 0xffffffff, '478d26c1'],
    ['lm_head.weight', [5, 7], 0.02, 42, 'b5d7b0ba'],
    ['score.weight', [3, 1], 1e-3, 0x80000000, 'd4fab8b1'],
    ['model.layers.0.mlp.down_proj.weight', [129, 33], 0.02, -5, 'f6868d25'],
  ])('of %s %j, std %f, seed %i are those of runs of all versions', (...row) => {
    const [name, shape, std, seed, hash] = row;
    expect(hashOf(initialValues(parameter(name, shape, std), seed))).toBe(hash);
  });
});
