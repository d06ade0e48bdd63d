import { describe, expect, it } from 'vitest';
import { sampleToken, type SamplingOptions, uniformAt, uniformBits } from './sampler.ts';

const options: SamplingOptions = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };
/** Logits of the probabilities 0.1, 0.4, 0.2 and 0.3. */
const logits = Float32Array.from([0.1, 0.4, 0.2, 0.3], Math.log);

/** The tokens that 1000 evenly spread draws choose. */
function drawnTokens(changes: Partial<SamplingOptions>, from = logits): number[] {
  const ids = Array.from(
    { length: 1000 },
    (_, i) => sampleToken(from, { ...options, ...changes }, i / 1000).id,
  );
  return [...new Set(ids)].sort((a, b) => a - b);
}

describe('sampleToken', () => {
  it('draws each token as often as its probability says', () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) {
      const { id } = sampleToken(logits, options, i / 1000);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    counts.forEach((count, id) => {
      const expected = 1000 * Math.exp(logits[id] ?? NaN);
      expect(Math.abs(count - expected)).toBeLessThan(2);
    });
  });

  it('takes the likeliest token at temperature 0, and the first of equal ones', () => {
    expect(drawnTokens({ temperature: 0 })).toEqual([1]);
    expect(drawnTokens({ temperature: 0 }, Float32Array.of(1, 3, 3, 2))).toEqual([1]);
  });

  it.each([
    [{ top_k: 1 }, [1]],
    [{ top_k: 2 }, [1, 3]],
    [{ top_k: 9 }, [0, 1, 2, 3]],
    [{ top_p: 0 }, [1]],
    [{ top_p: 0.39 }, [1]],
    [{ top_p: 0.5 }, [1, 3]],
    [{ top_p: 0.95 }, [0, 1, 2, 3]],
    [{ min_p: 0.6 }, [1, 3]],
    [{ min_p: 0.3 }, [1, 2, 3]],
    [{ top_k: 3, top_p: 0.7 }, [1, 3]],
    [{ top_p: 0.95, min_p: 0.4 }, [1, 2, 3]],
  ] as const)('with %j draws only from the tokens %j', (changes, expected) =>
    expect(drawnTokens(changes)).toEqual(expected),
  );

  it('keeps the first of equal tokens if not all of them fit', () =>
    expect(drawnTokens({ top_k: 2 }, Float32Array.of(0, 1, 1, 1))).toEqual([1, 2]));

  it('reports the probability under the model and the four likeliest other tokens', () => {
    const { id, probability, rivals } = sampleToken(
      Float32Array.from([0.05, 0.4, 0.15, 0.25, 0.05, 0.1], Math.log),
      { ...options, temperature: 0.1, top_k: 1 },
      0.5,
    );
    expect([id, ...rivals.map((rival) => rival.id)]).toEqual([1, 3, 2, 5, 0]);
    expect(probability).toBeCloseTo(0.4, 6);
    expect(rivals[3]?.probability).toBeCloseTo(0.05, 6);
  });
});

describe('uniformAt', () => {
  it('is a function of seed and position, spread over [0, 1)', () => {
    const values = Array.from({ length: 4096 }, (_, i) => uniformAt(42, i));
    expect(values).toEqual(values.map((_, i) => uniformBits(42, i) / 2 ** 32));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    const mean = values.reduce((a, b) => a + b, 0) / 4096;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
    expect(uniformAt(43, 0)).not.toBe(uniformAt(42, 0));
  });
});
