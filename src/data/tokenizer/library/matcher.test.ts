import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../errors.ts';
import { cpuMilliseconds } from '../../fixtures/node.ts';
import { compile } from './compile.ts';
import { Matcher, Meter } from './matcher.ts';

/** The matches of an expression in a text. */
async function matchesOf(source: string, text: string): Promise<string[]> {
  const matcher = new Matcher(await compile(source), new Meter());
  const matches: string[] = [];
  matcher.forEachMatch(text, (start, end) => matches.push(text.slice(start, end)));
  return matches;
}

const nativeMatches = (source: string, text: string): string[] =>
  Array.from(text.matchAll(new RegExp(source, 'gu')), ([match]) => match);

/** Parts of the pre-tokenizers of known models, as their tokenizer.json files have them. */
const CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const WORD = '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+';
const SYMBOLS = ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*';
const SPACES = ['\\s*[\\r\\n]+', '\\s+(?!\\S)', '\\s+'];
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';

const KNOWN = {
  'GPT-2': "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  'Llama 3': [CONTRACTIONS, WORD, '\\p{N}{1,3}', SYMBOLS, ...SPACES].join('|'),
  'Qwen 2': [CONTRACTIONS, WORD, '\\p{N}', SYMBOLS, ...SPACES].join('|'),
  o200k: [
    `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${CONTRACTIONS}?`,
    `[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${CONTRACTIONS}?`,
    '\\p{N}{1,3}',
    ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*',
    ...SPACES,
  ].join('|'),
  'DeepSeek 3': [
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`\\{\\|\\}~][A-Za-z]+',
    '[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+',
    ' ?[\\p{P}\\p{S}]+[\\r\\n]*',
    ...SPACES,
  ].join('|'),
  'a word boundary, as the library writes it':
    '(?:(?<![\\p{L}])(?=[\\p{L}])|(?<=[\\p{L}])(?![\\p{L}]))',
};

const TEXT =
  "It's 12345 o'clock —  naïve 日本語, the\r\n\r\n   CAT'LL\tsay: “hi!” 👍🏽 e\u0301a\n\n  x = [1, 2];  \ud800 ";

const TRICKY = [
  '',
  '^a|b$',
  'a*?b',
  '(?:a|ab)(?:c|bcd)(?:d*)',
  '(?:a?)*?b',
  '(?:a??)?',
  '(?:(?:a|b)*c?)*',
  '(?:a*){2,3}',
  '(?:ab){2,}',
  'a{0}b',
  'a{2,}?',
  '.{2}',
  '(?=a(?!b))..|[^a]',
  '(?<!a)b|(?<=c)a',
  '[\\s\\S]*Z',
  '(?:x+x+)+y|\\w',
];

const tooSlow = new DataError(
  'tokenizer_unsupported',
  'This kind of tokenizer.json is not supported: a pattern in it takes too long on this text.',
  'Choose a byte-level BPE such as that of GPT-2, or train a tokenizer here.',
);

describe('Matcher', () => {
  it.each(Object.entries(KNOWN))('finds the matches of the browser for %s', async (_, source) => {
    expect(await matchesOf(source, TEXT.repeat(20))).toEqual(
      nativeMatches(source, TEXT.repeat(20)),
    );
  });

  it.each(TRICKY)('finds the matches of the browser for /%s/', async (source) => {
    const matcher = new Matcher(await compile(source), new Meter());
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'aabbccdxyZ 👍'), maxLength: 12 }),
        (text) => {
          const matches: string[] = [];
          matcher.forEachMatch(text, (start, end) => matches.push(text.slice(start, end)));
          expect(matches).toEqual(nativeMatches(source, text));
        },
      ),
    );
  });

  it.each([
    ['nested repetition', '((\\s|\\S)*)*Z{99}'],
    ['words that end nowhere', '(\\w+\\s?)+$!'],
    ['a word read in two ways', '(?:[a-m]|[n-z]|[a-m][n-z]| )*Z'],
    ['a run that ends nowhere, from each start', '[\\s\\S]*Z'],
    ['two runs', '\\S*[a-z ]*[a-z ]*Z'],
    ['a lookahead', '(?=([a-z ]+)+Z)a'],
    ['lookaheads in one another', '(?=(?=(?=[\\s\\S]*Z)))a|e'],
  ])('gives up %s within three seconds of CPU time', async (_, source) => {
    const program = await compile(source);
    const text = 'the quick brown fox jumps over the lazy dog '.repeat(20_000);
    const started = cpuMilliseconds();
    const match = () => new Matcher(program, new Meter()).forEachMatch(text, () => undefined);
    expect(match).toThrow(tooSlow);
    expect(cpuMilliseconds() - started).toBeLessThan(3000);
  });

  it.each([
    ['a reference to a group', '(a)\\1'],
    ['a long lookbehind', '(?<=ab)c'],
    ['many copies', '(?:(?:ab){999}){999}'],
    ['a broken expression', '('],
    ['a long expression', 'a'.repeat(8001)],
  ])('refuses %s', async (_, source) => {
    await expect(compile(source)).rejects.toMatchObject({ code: 'tokenizer_unsupported' });
  });
});
