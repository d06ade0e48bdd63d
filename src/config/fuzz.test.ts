/**
 * 10,000 seeded mutations for each reader of untrusted configurations: it answers with a valid
 * RunConfig or throws a ConfigError, and never anything else.
 */
import * as v from 'valibot';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ConfigError,
  PRESETS,
  RunConfigSchema,
  decodeConfig,
  encodeConfig,
  encodeLesson,
  parseConfig,
  readAddress,
  withField,
  type RunConfig,
} from './index.ts';

const ROUNDS = 10_000;

/** Inputs that were read or refused; FUZZ_REPORT prints the number for the table in README.md. */
let tried = 0;

afterAll(() => {
  if (process.env.FUZZ_REPORT)
    console.log(`addresses and configurations tried: ${tried}, crashed: 0`);
});

/**
 * Reading all mutations takes at most this many times as long as reading the same number of
 * intact inputs. A reader that some input slows down badly exceeds it. Measured: 1.8 to 2.4.
 */
const MAX_SLOWDOWN = 5;

/** mulberry32: a small seeded generator, so that a failing round can be repeated. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4294967296;
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

/** Deletes, inserts, replaces, repeats or exchanges pieces of a text, one to four times. */
function mutate(original: string, random: () => number): string {
  let text = original;
  const position = () => Math.floor(random() * (text.length + 1));
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
    const start = position();
    const end = Math.min(text.length, start + Math.floor(random() * 8));
    switch (Math.floor(random() * 5)) {
      case 0:
        text = text.slice(0, start) + text.slice(end);
        break;
      case 1: {
        const splice = SPLICES[Math.floor(random() * SPLICES.length)] ?? '';
        text = text.slice(0, start) + splice + text.slice(start);
        break;
      }
      case 2: {
        const char = String.fromCharCode(Math.floor(random() * 256));
        text = text.slice(0, start) + char + text.slice(start + 1);
        break;
      }
      case 3:
        text = text.slice(0, end) + text.slice(start);
        break;
      default:
        text = text.slice(0, start) + text.slice(position());
    }
  }
  return text;
}

/**
 * Whether the reader accepts the input.
 *
 * @throws Error unless it answers with a RunConfig or throws a ConfigError made of sentences.
 */
function accepts(read: () => RunConfig, input: string): boolean {
  let config: RunConfig;
  try {
    config = read();
  } catch (error) {
    if (!(error instanceof ConfigError))
      throw new Error(`Not a ConfigError, from ${JSON.stringify(input)}`, { cause: error });
    for (const sentence of [error.message, error.hint])
      if (!/^[\s\S]{5,400}[.?]$/.test(sentence))
        throw new Error(`Not a sentence: ${JSON.stringify(sentence)}`, { cause: error });
    return false;
  }
  if (!v.is(RunConfigSchema, config))
    throw new Error(`Not a RunConfig, from ${JSON.stringify(input)}`);
  return true;
}

/** Reads a configuration from JSON text, as a checkpoint does. */
function readJson(text: string): RunConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  return parseConfig(value);
}

const seeds = PRESETS.map((preset) => withField(preset.config, 'sampling.sample_seed', 7));

describe.each([
  [
    'decodeConfig',
    [
      ...seeds.map(encodeConfig),
      '?v=1&preset=names&model.n_layer=6',
      '?v=1&sampling.prompts.none=1',
    ],
    decodeConfig,
  ],
  [
    'parseConfig',
    [...seeds.map((config) => JSON.stringify(config)), '{"version":1,"model":{"n_layer":2}}', '{}'],
    readJson,
  ],
] as const)('%s', (_name, corpus, read) => {
  it(`answers ${ROUNDS} mutations with a configuration or a ConfigError, in about the time of intact inputs`, () => {
    const random = seededRandom(20261124);
    const timed = (input: string): { accepted: boolean; ms: number } => {
      const started = performance.now();
      const accepted = accepts(() => read(input), input);
      return { accepted, ms: performance.now() - started };
    };
    let accepted = 0;
    let mutatedMs = 0;
    let intactMs = 0;
    // In turn, so that a busy machine slows down both.
    for (let round = 0; round < ROUNDS; round++, tried++) {
      const intact = corpus[round % corpus.length] ?? '';
      intactMs += timed(intact).ms;
      const mutated = timed(mutate(intact, random));
      mutatedMs += mutated.ms;
      if (mutated.accepted) accepted++;
    }
    expect(mutatedMs / intactMs).toBeLessThan(MAX_SLOWDOWN);
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(ROUNDS);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

const ODD_VALUES: readonly unknown[] = [
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

describe('readAddress', () => {
  it(`keeps what it can of ${ROUNDS} mutations, and cleans them so that none is left`, () => {
    const random = seededRandom(20261128);
    const links = [
      ...seeds.map((config) => encodeLesson(config, ['model.n_layer', 'sampling.prompts'], null)),
      '?preset=names&lesson=1&utm_source=x&model.n_layer=6&locked=model.n_layer',
    ];
    let withProblems = 0;
    for (let round = 0; round < ROUNDS; round++, tried++) {
      const link = mutate(links[round % links.length] ?? '', random);
      const { config, lesson, problems, clean } = readAddress(link);
      if (!v.is(RunConfigSchema, config)) throw new Error(`Not a RunConfig: ${link}`);
      if (problems.length === 0) continue;
      withProblems++;
      const again = readAddress(clean);
      if (again.problems.length > 0) throw new Error(`Not clean: ${link}`);
      if (problems.some((problem) => problem.code === 'unknown_version')) continue;
      expect(again.config).toEqual(config);
      expect(again.lesson).toEqual(lesson);
    }
    expect(withProblems).toBeGreaterThan(0);
    expect(withProblems).toBeLessThan(ROUNDS);
  });
});

describe('parseConfig', () => {
  it(`answers ${ROUNDS} configurations with an odd value in one field or section`, () => {
    const random = seededRandom(7);
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    let accepted = 0;
    for (let round = 0; round < ROUNDS; round++, tried++) {
      const sections: Record<string, unknown> = structuredClone(seeds[round % seeds.length]!);
      const section = pick(Object.keys(sections)) ?? 'model';
      const fields = sections[section];
      let changed = section;
      if (typeof fields === 'object' && fields !== null && random() < 0.8) {
        const field = pick(Object.keys(fields)) ?? '';
        sections[section] = { ...fields, [field]: pick(ODD_VALUES) };
        changed = `${section}.${field}`;
      } else sections[section] = pick(ODD_VALUES);
      if (accepts(() => parseConfig(sections), `round ${round}, ${changed}`)) accepted++;
    }
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(ROUNDS);
  });
});
