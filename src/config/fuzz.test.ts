/**
 * 10,000 seeded mutations of each reader of untrusted configurations: a valid RunConfig or a
 * ConfigError, nothing else.
 */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  PRESETS,
  RunConfigSchema,
  decodeConfig,
  encodeConfig,
  parseConfig,
  parseConfigJson,
  withField,
  type RunConfig,
} from './index.ts';

const ROUNDS = 10_000;

/** mulberry32: a small seeded generator, so that a failure can be repeated by its round. */
function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const SPLICES = [
  '__proto__',
  'constructor',
  'toString',
  '%',
  '%00',
  '&',
  '=',
  '.',
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  'null',
  '1e999',
  '-1',
  'NaN',
  '\u0000',
  '\ud800',
  '\u{1f600}',
  'preset=',
  'v=',
  'v=2',
  '.none=1',
  '"version":2,',
];

function mutate(text: string, next: () => number): string {
  const at = () => Math.floor(next() * (text.length + 1));
  for (let n = 1 + Math.floor(next() * 4); n > 0; n--) {
    const i = at();
    const j = Math.min(text.length, i + Math.floor(next() * 8));
    switch (Math.floor(next() * 5)) {
      case 0:
        text = text.slice(0, i) + text.slice(j);
        break;
      case 1:
        text =
          text.slice(0, i) + (SPLICES[Math.floor(next() * SPLICES.length)] ?? '') + text.slice(i);
        break;
      case 2:
        text = text.slice(0, i) + String.fromCharCode(Math.floor(next() * 256)) + text.slice(i + 1);
        break;
      case 3:
        text = text.slice(0, j) + text.slice(i);
        break;
      default:
        text = text.slice(0, i) + text.slice(at());
    }
  }
  return text;
}

const fail = (message: string): never => {
  throw new Error(message);
};

/**
 * Whether the reader took the mutation; anything but a RunConfig or a ConfigError fails the test.
 */
function reads(read: () => RunConfig, input: string): boolean {
  try {
    const config = read();
    return v.is(RunConfigSchema, config) || fail(`Not a RunConfig, from ${JSON.stringify(input)}`);
  } catch (error) {
    if (!(error instanceof ConfigError))
      throw new Error(`Not a ConfigError, from ${JSON.stringify(input)}`, { cause: error });
    for (const sentence of [error.message, error.hint])
      if (!/^[\s\S]{5,400}[.?]$/.test(sentence))
        throw new Error(`Not a sentence: ${JSON.stringify(sentence)}`, { cause: error });
    return false;
  }
}

const seeds = PRESETS.map((p) => withField(p.config, 'sampling.sample_seed', 7));

describe.each([
  [
    'decodeConfig',
    seeds
      .map((c) => encodeConfig(c))
      .concat('?v=1&preset=names&model.n_layer=6', '?v=1&sampling.prompts.none=1'),
    (text: string) => decodeConfig(text),
  ],
  [
    'parseConfigJson',
    seeds.map((c) => JSON.stringify(c)).concat('{"version":1,"model":{"n_layer":2}}', '{}'),
    (text: string) => parseConfigJson(text),
  ],
] as const)('%s', (_name, corpus, read) => {
  it(`answers ${ROUNDS} mutations with a configuration or a ConfigError, each in under a second`, () => {
    const next = random(20261124);
    let accepted = 0;
    let slowest = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const input = mutate(corpus[round % corpus.length] ?? '', next);
      const started = performance.now();
      if (reads(() => read(input), input)) accepted++;
      slowest = Math.max(slowest, performance.now() - started);
    }
    expect(slowest).toBeLessThan(1000);
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(ROUNDS);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

describe('parseConfig', () => {
  it(`answers ${ROUNDS} values with something odd in one field`, () => {
    const next = random(7);
    const odd: unknown[] = [
      null,
      undefined,
      NaN,
      Infinity,
      -1,
      1e300,
      '',
      'x',
      [],
      [[]],
      {},
      true,
      0n,
      Symbol('s'),
      () => 1,
      new Date(0),
      JSON.parse('{"__proto__":1}'),
    ];
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(next() * list.length)];
    for (let round = 0; round < ROUNDS; round++) {
      const sections = Object.fromEntries(
        Object.entries(structuredClone(seeds[round % seeds.length] ?? {})).map(([name, value]) => [
          name,
          typeof value === 'object' ? { ...value } : value,
        ]),
      );
      const section = pick(Object.keys(sections)) ?? 'model';
      const value: unknown = sections[section];
      const field =
        typeof value === 'object' && next() < 0.8 ? pick(Object.keys(value ?? {})) : undefined;
      const input: unknown = {
        ...sections,
        [section]:
          field && typeof value === 'object' ? { ...value, [field]: pick(odd) } : pick(odd),
      };
      reads(() => parseConfig(input), `round ${round}, ${section}.${field ?? ''}`);
    }
  });
});
