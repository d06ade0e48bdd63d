import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OwnText } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import { makeSplit } from '../split.ts';
import { loadMobyDick } from './assets.ts';
import { MAX_TEXT_BYTES, readOwnText } from './own_text.ts';
import { readAsset } from '../fixtures/node.ts';

const read = (name: string, text: string, column?: string) =>
  readOwnText({ name, bytes: new TextEncoder().encode(text), column });
const failure = (code: string, message?: string) =>
  expect.objectContaining(
    message === undefined ? { name: 'DataError', code } : { name: 'DataError', code, message },
  ) as unknown;

describe('plain text', () => {
  it('cuts a running text into blocks that join to the same text', () => {
    const unit = fc.constantFrom(
      'word ',
      'word',
      '\n',
      '\n\n',
      ' \n \n',
      '🌍',
      'a'.repeat(9000),
      'The end. ',
    );
    return fc.assert(
      fc.asyncProperty(
        fc.array(unit, { minLength: 1, maxLength: 60 }).map((parts) => parts.join('')),
        async (text) => {
          fc.pre(text.trim() !== '');
          const corpus = await read('a.txt', text);
          fc.pre(corpus.continuous === true);
          expect(corpus.documents.join(corpus.separator)).toBe(text);
          expect(
            corpus.documents.every(
              (block) => block.length <= 8000 && !/^[\udc00-\udfff]/.test(block),
            ),
          ).toBe(true);
        },
      ),
    );
  });
  it('cuts a novel into blocks of about 2,000 characters', async () => {
    const novel = (await loadMobyDick(readAsset)).documents.join('\n\n');
    const { documents } = await read('novel.md', novel);
    expect(documents.join('')).toBe(novel);
    expect(novel.length / documents.length).toBeGreaterThan(1000);
    expect(novel.length / documents.length).toBeLessThan(3000);
  });
  it('gives equal blocks for a passage that occurs twice', async () => {
    const [first, second, third] = (await loadMobyDick(readAsset)).documents;
    const once = [first, second, third].join('\n\n');
    const { duplicates_removed, train, val } = makeSplit(
      await read('twice.txt', [once, 'Something else.', once].join('\n\n')),
      { val_fraction: 0.1 },
    );
    expect(duplicates_removed).toBeGreaterThan(5);
    expect([...train, ...val].join('').length).toBeLessThan(1.2 * once.length);
  });
  it('reads a list line by line', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `name ${i}`);
    expect(await read('names.txt', `${names.join('\r\n')}\r\n`)).toMatchObject({
      separator: '\n',
      continuous: false,
    });
    expect(
      makeSplit(await read('names.txt', `${names.join('\n')}\n`), { val_fraction: 0.1 }).train
        .length,
    ).toBe(27);
  });
});

describe('several files', () => {
  const readFiles = (files: Record<string, string>, change: Partial<OwnText> = {}) => {
    const parts = Object.entries(files).map(([name, text]) => ({
      name,
      content: new TextEncoder().encode(text),
    }));
    return readOwnText({
      name: `${parts.length} files`,
      bytes: Uint8Array.from(parts.flatMap(({ content }) => [...content])),
      files: parts.map(({ name, content }) => ({ name, bytes: content.length })),
      ...change,
    });
  };
  const prose = (word: string) => `Once a ${word} came.\n\nThen the ${word} left.`.repeat(3);

  it('are one document each, or their lines and rows', async () => {
    expect(await readFiles({ 'a.txt': prose('fox'), 'b.md': prose('öwl') })).toMatchObject({
      documents: [prose('fox'), prose('öwl')],
      separator: '\n\n',
    });
    const names = Array.from({ length: 30 }, (_, i) => `name ${i}`);
    const mixed = await readFiles({
      'names.txt': names.join('\n'),
      'a.csv': 'text\none\n',
      'b.jsonl': '{"text":"two"}',
    });
    expect(mixed.documents).toEqual([...names, 'one', 'two']);
    expect(mixed.continuous).toBeUndefined();
  });
  it('that are tables offer the columns of all', async () => {
    const files = { 'a.csv': 'id,text\n1,one word\n', 'b.csv': 'id,note\n2,two words\n' };
    expect(await readFiles(files)).toMatchObject({
      documents: ['one word', 'two words'],
      table: { columns: ['id', 'text', 'note'], column: 'text' },
    });
    expect((await readFiles(files, { column: 'id' })).documents).toEqual(['1', '2']);
    expect((await readFiles(files, { column: 'note' })).documents).toEqual([
      'one word',
      'two words',
    ]);
  });
  it('name the file that cannot be read', async () => {
    await expect(readFiles({ 'a.txt': 'one', 'b.txt': ' ' })).rejects.toThrow('"b.txt" has no');
  });
});

describe('broken characters', () => {
  it.each(['04a_half_pair', '04b_half_pair_and_emoji'])(
    'of JSON Lines are replaced and counted (%s)',
    async (kind) => {
      const emoji = kind.endsWith('emoji') ? ' 😀' : '';
      const rows = ['whole', 'cut \\ud83d here', 'both \\ud83d\\ude00', '\\ude00\\ud83d'];
      const file = rows.map((text) => `{"text":"${text}${emoji}"}`).join('\n');
      const { documents, notes } = await read('a.jsonl', file);
      expect(documents).toEqual(
        ['whole', 'cut \ufffd here', 'both 😀', '\ufffd\ufffd'].map((text) => text + emoji),
      );
      expect(notes).toEqual([
        '3 broken characters (half of a surrogate pair) were replaced by U+FFFD.',
      ]);
    },
  );
  it('of pasted text were counted before', async () => {
    const own = { name: 'Pasted text', bytes: new TextEncoder().encode('a \ufffd'), replaced: 1 };
    expect((await readOwnText(own)).notes).toEqual([
      '1 broken character (half of a surrogate pair) was replaced by U+FFFD.',
    ]);
    expect((await read('a.txt', 'fine')).notes).toEqual([]);
  });
});

describe('unreadable text', () => {
  it('is refused with its reason; a byte order mark and line ends are normalised', async () => {
    await expect(
      readOwnText({ name: 'a.txt', bytes: Uint8Array.of(0xff, 0xfe, 0x61, 0) }),
    ).rejects.toEqual(failure('text_not_utf8', '"a.txt" is not text in UTF-8.'));
    await expect(read('a.txt', ' \n ')).rejects.toEqual(
      failure('text_empty', '"a.txt" has no text in it.'),
    );
    await expect(
      readOwnText({ name: 'a.txt', bytes: new Uint8Array(MAX_TEXT_BYTES + 1) }),
    ).rejects.toEqual(failure('text_too_large'));
    expect((await read('a.txt', '\ufeffone\r\ntwo\rthree')).documents.join('')).toBe(
      'one\ntwo\nthree',
    );
  });
  it('gives a corpus or a DataError for any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('a.txt', 'a.csv', 'a.tsv', 'a.jsonl'),
        fc.option(fc.string(), { nil: undefined }),
        async (bytes, name, column) => {
          try {
            expect((await readOwnText({ name, bytes, column })).documents.length).toBeGreaterThan(
              0,
            );
          } catch (error) {
            if (!(error instanceof DataError)) throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
