import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
    fc.assert(
      fc.property(
        fc.array(unit, { minLength: 1, maxLength: 60 }).map((parts) => parts.join('')),
        (text) => {
          fc.pre(text.trim() !== '');
          const corpus = read('a.txt', text);
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
    const { documents } = read('novel.md', novel);
    expect(documents.join('')).toBe(novel);
    expect(novel.length / documents.length).toBeGreaterThan(1000);
    expect(novel.length / documents.length).toBeLessThan(3000);
  });
  it('gives equal blocks for a passage that occurs twice', async () => {
    const [first, second, third] = (await loadMobyDick(readAsset)).documents;
    const once = [first, second, third].join('\n\n');
    const { duplicates_removed, train, val } = makeSplit(
      read('twice.txt', [once, 'Something else.', once].join('\n\n')),
      { val_fraction: 0.1 },
    );
    expect(duplicates_removed).toBeGreaterThan(5);
    expect([...train, ...val].join('').length).toBeLessThan(1.2 * once.length);
  });
  it('reads a list line by line', () => {
    const names = Array.from({ length: 30 }, (_, i) => `name ${i}`);
    expect(read('names.txt', `${names.join('\r\n')}\r\n`)).toMatchObject({
      separator: '\n',
      continuous: false,
    });
    expect(
      makeSplit(read('names.txt', `${names.join('\n')}\n`), { val_fraction: 0.1 }).train.length,
    ).toBe(27);
  });
});

describe('tables', () => {
  it('reads a column of .jsonl, and lists the columns that hold text', () => {
    const file =
      '{"id":"1","text":"one","note":"x"}\n\n{"id":"2","text":"two\\nlines","__proto__":"y"}\n{"id":"3"}\n';
    expect(read('a.jsonl', file)).toMatchObject({
      documents: ['one', 'two\nlines'],
      separator: '\n\n',
      columns: ['text', 'note', '__proto__'],
    });
    expect(read('a.jsonl', file, 'note').documents).toEqual(['x']);
    expect(read('a.jsonl', file, '__proto__').documents).toEqual(['y']);
    expect(() => read('a.jsonl', file, 'body')).toThrow(
      expect.objectContaining({
        code: 'unknown_column',
        message: '"a.jsonl" has no column "body".',
        hint: 'Choose one of: text, note, __proto__.',
      }),
    );
    expect(() => read('a.jsonl', file, 'toString')).toThrow(failure('unknown_column'));
  });
  it('names the malformed line of a .jsonl file', () => {
    for (const line of ['{"text":', '[1]', '"text"', 'null']) {
      expect(() => read('a.jsonl', `{"text":"one"}\n${line}\n`)).toThrow(
        failure('malformed_line', 'Line 2 of "a.jsonl" is not a JSON object.'),
      );
    }
    expect(() => read('a.jsonl', '{"n":1}\n')).toThrow(failure('unknown_column'));
  });
  it('reads quoted and unquoted cells of .csv', () => {
    const cell = fc
      .string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ', 'é'), minLength: 1, maxLength: 8 })
      .map((s) => `x${s}`);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        (rows, last) => {
          const quote = (s: string) => (/[",\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s);
          const file =
            ['title,body', ...rows.map((row) => row.map(quote).join(','))].join('\n') +
            (last ? '\n' : '');
          expect(read('a.csv', file, 'title').documents).toEqual(rows.map(([title]) => title));
          expect(read('a.csv', file).documents).toEqual(rows.map(([, body]) => body));
        },
      ),
    );
  });
  it('detects the delimiter and the text columns of a .csv file, and accepts short rows', () => {
    const corpus = read('a.csv', 'id;quote\n1;"a; b"\n2\n\n3;c\n');
    expect(corpus).toMatchObject({ columns: ['quote'], documents: ['a; b', 'c'] });
    expect(read('a.tsv', 'n\tm\n1\t2\n').columns).toEqual(['n', 'm']);
  });
  it('refuses a .csv file that is malformed or has no text', () => {
    expect(() => read('a.csv', 'text\n"open\n')).toThrow(
      failure('malformed_line', 'A quotation mark on line 2 of "a.csv" is never closed.'),
    );
    expect(() => read('a.csv', 'text\n"a"b\n')).toThrow(failure('malformed_line'));
    expect(() => read('a.csv', 'text\n')).toThrow(failure('text_empty'));
    expect(() => read('a.csv', 'text\nx\n', 'nope')).toThrow(failure('unknown_column'));
  });
});

describe('unreadable text', () => {
  it('is refused with its reason; a byte order mark and line ends are normalised', () => {
    expect(() => readOwnText({ name: 'a.txt', bytes: Uint8Array.of(0xff, 0xfe, 0x61, 0) })).toThrow(
      failure('text_not_utf8', '"a.txt" is not text in UTF-8.'),
    );
    expect(() => read('a.txt', ' \n ')).toThrow(
      failure('text_empty', '"a.txt" has no text in it.'),
    );
    expect(() => readOwnText({ name: 'a.txt', bytes: new Uint8Array(MAX_TEXT_BYTES + 1) })).toThrow(
      failure('text_too_large'),
    );
    expect(read('a.txt', '\ufeffone\r\ntwo\rthree').documents.join('')).toBe('one\ntwo\nthree');
  });
  it('gives a corpus or a DataError for any bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom('a.txt', 'a.csv', 'a.jsonl'),
        fc.option(fc.string(), { nil: undefined }),
        (bytes, name, column) => {
          try {
            expect(readOwnText({ name, bytes, column }).documents.length).toBeGreaterThan(0);
          } catch (error) {
            if (!(error instanceof DataError)) throw error;
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
