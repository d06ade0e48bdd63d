/** Tables as own text: delimiters, quotation marks, and the column that is proposed. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OwnText, SplitVersion } from '../../common/index.ts';
import { readOwnText } from './own_text.ts';

const read = (
  name: string,
  text: string,
  change: Partial<OwnText> = {},
  version: SplitVersion = 2,
) => readOwnText({ name, bytes: new TextEncoder().encode(text), ...change }, version);
const failure = (code: string, message = expect.any(String) as string) =>
  expect.objectContaining({ name: 'DataError', code, message }) as unknown;
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => `${line(i)}\n`).join('');

describe('JSON Lines', () => {
  it('gives a column, and offers all columns and whole rows', async () => {
    const file =
      '{"id":"1","text":"one","note":"x"}\n\n{"id":"2","text":"two\\nlines","__proto__":"y"}\n{"id":"3"}\n';
    expect(await read('a.jsonl', file)).toMatchObject({
      documents: ['one', 'two\nlines'],
      separator: '\n\n',
      table: { columns: ['id', 'text', 'note', '__proto__'], column: 'text', format: null },
    });
    expect((await read('a.jsonl', file, { column: 'note' })).documents).toEqual(['x']);
    expect((await read('a.jsonl', file, { column: '__proto__' })).documents).toEqual(['y']);
    expect((await read('a.jsonl', file, { column: '*' })).documents).toEqual([
      '{"id":"1","text":"one","note":"x"}',
      '{"id":"2","text":"two\\nlines","__proto__":"y"}',
      '{"id":"3"}',
    ]);
    await expect(read('a.jsonl', file, { column: 'body' })).rejects.toMatchObject({
      code: 'unknown_column',
      message: '"a.jsonl" has no column "body".',
      hint: 'Choose one of: id, text, note, __proto__.',
    });
    await expect(read('a.jsonl', file, { column: 'toString' })).rejects.toEqual(
      failure('unknown_column'),
    );
  });
  it('names the malformed line', async () => {
    for (const line of ['{"text":', '[1]', '"text"', 'null']) {
      await expect(read('a.jsonl', `{"text":"one"}\n${line}\n`)).rejects.toEqual(
        failure('malformed_line', 'Line 2 of "a.jsonl" is not a JSON object.'),
      );
    }
  });
  it('finds a text column that is empty at first', async () => {
    const file = lines(160, (id) => JSON.stringify({ id, text: id < 110 ? '' : `tide ${id}` }));
    const { documents, table } = await read('late.jsonl', file);
    expect([documents.length, table?.column]).toEqual([50, 'text']);
    // Also where no row of the sample has text.
    const rare = lines(9000, (id) =>
      JSON.stringify({ id: `${id}`, text: id === 8999 ? 'sea' : '' }),
    );
    expect((await read('rare.jsonl', rare)).documents).toEqual(['sea']);
  });
  it('reads digits as text if there is nothing else', async () => {
    const file = lines(30, (i) => JSON.stringify({ n: i, digits: `${i * 12345}` }));
    expect((await read('digits.jsonl', file)).table?.column).toBe('digits');
    expect((await read('numbers.jsonl', '{"n":1}\n{"n":2}\n')).documents).toEqual(['1', '2']);
  });
});

describe('the proposed column', () => {
  it('is the one with the most words, not one of dates, numbers or identifiers', async () => {
    const file =
      'date,when,amount,id,link,remark\n' +
      lines(
        40,
        (i) =>
          `2026-01-05T10:30:${10 + i}Z,"Monday, 5 January 2026 at 10:30:00 GMT",1234567.89,` +
          `6b1f0c2e-58a4-4d0e-9f3b-0a1b2c3d4e${10 + i},https://example.org/a/long/address,low tide`,
      );
    const { table } = await read('log.csv', file);
    expect(table?.column).toBe('remark');
    expect(table?.columns).toEqual(['date', 'when', 'amount', 'id', 'link', 'remark']);
  });
  it('is where the most text is, whatever its name', async () => {
    const file = 'text,story\n' + lines(20, (i) => `no ${i},a long story about the river`);
    expect((await read('a.csv', file)).table?.column).toBe('story');
  });
  it('gives way to whole rows', async () => {
    const file = 'name;town\nAnna;"Ulm; old town"\nBert;Jena\n';
    expect((await read('a.csv', file, { column: '*' })).documents).toEqual([
      'Anna;Ulm; old town',
      'Bert;Jena',
    ]);
  });
});

describe('CSV', () => {
  it('reads quoted and unquoted cells', async () => {
    const cell = fc
      .string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ', 'é'), minLength: 1, maxLength: 8 })
      .map((s) => `x${s}`);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        async (rows, last) => {
          const quote = (s: string) => (/[",\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s);
          const file =
            ['title,body', ...rows.map((row) => row.map(quote).join(','))].join('\n') +
            (last ? '\n' : '');
          const { documents } = await read('a.csv', file, { column: 'title' });
          expect(documents).toEqual(rows.map(([title]) => title));
          expect((await read('a.csv', file, { column: 'body' })).documents).toEqual(
            rows.map(([, body]) => body),
          );
        },
      ),
    );
  });
  it('takes the delimiter that fits outside quoted fields, and accepts short rows', async () => {
    const file = 'id;quote\n1;"a; b, c, d, e"\n2\n\n3;c\n';
    expect(await read('a.csv', file)).toMatchObject({
      documents: ['a; b, c, d, e', 'c'],
      table: { columns: ['id', 'quote'], format: 'semicolon', readings: [] },
    });
    const quoted = '"a;b;c;d",text\n' + lines(5, (i) => `"1;2;3;${i}",word ${i}`);
    expect((await read('a.csv', quoted)).table).toMatchObject({ format: 'comma', readings: [] });
    expect((await read('a.csv', 'id\ttext\n1\tword\n')).table?.format).toBe('tab_quoted');
  });
  it('drops nothing of a row that is longer than the header, and asks', async () => {
    const file = 'text\n' + lines(60, (i) => `Bread ${i}, butter, and a long afternoon`);
    const { documents, table } = await read('05_one_column.csv', file);
    expect(documents[0]).toBe('Bread 0, butter, and a long afternoon');
    expect(documents).toHaveLength(60);
    expect(table?.format).toBe('lines');
    expect(table?.readings.map(({ format, rows, columns }) => [format, rows, columns])).toEqual([
      ['lines', 60, ['text']],
      ['comma', 60, ['text', 'column 2', 'column 3']],
    ]);
    expect(table?.readings[0]?.preview).toMatch(/^Bread 0, butter, and a long afternoon\nBread 1/);
    expect(table?.readings[1]?.preview).toMatch(/^Bread 0 │ butter │ and a long afternoon\n/);
    const comma = await read('05_one_column.csv', file, { format: 'comma' });
    expect(comma.table).toMatchObject({ format: 'comma', column: 'column 3' });
    expect(comma.documents[0]).toBe(' and a long afternoon');
    const ragged = await read('a.csv', 'id,text\n' + lines(9, (i) => `${i},so, it began`));
    expect(ragged.table?.readings.map(({ format }) => format)).toEqual(['comma', 'lines']);
    expect(ragged.table?.columns).toEqual(['id', 'text', 'column 3']);
  });
  it('asks about a file that two delimiters fit', async () => {
    const { table } = await read('a.csv', 'a,b;c\n' + lines(9, (i) => `x ${i},y;z`));
    expect(table?.format).toBe('comma');
    expect(table?.readings.map(({ format }) => format)).toEqual(['comma', 'semicolon']);
  });
  it('does not ask about one column of quoted fields', async () => {
    const { documents, table } = await read('a.csv', 'text\n"one, two"\n"three ""four"""\n');
    expect(documents).toEqual(['one, two', 'three "four"']);
    expect(table).toMatchObject({ format: 'comma', readings: [] });
  });
  it('names columns without a name, and those of one name apart', async () => {
    const { table } = await read('a.csv', 'a,,a,*\nw,x,y,z\n');
    expect(table?.columns).toEqual(['a', 'column 2', 'a (column 3)', 'column *']);
  });
  it('refuses a file that is malformed or has no text', async () => {
    const message =
      'A quotation mark on line 3 of "a.csv" is never closed, or is followed by more text.';
    await expect(read('a.csv', 'text\nx\n"open\n')).rejects.toEqual(
      failure('malformed_line', message),
    );
    await expect(read('a.csv', 'text\nx\n"a"b\n')).rejects.toEqual(
      failure('malformed_line', message),
    );
    await expect(read('a.csv', 'text\n')).rejects.toEqual(failure('text_empty'));
    await expect(read('a.csv', 'text\nx\n', { column: 'nope' })).rejects.toEqual(
      failure('unknown_column'),
    );
  });
});

describe('TSV', () => {
  it('takes quotation marks as ordinary characters', async () => {
    const file =
      'id\ttext\n' + lines(60, (i) => `${i}\t${i === 20 ? '"Wait," said he, and' : 'It went'}`);
    const { documents, table } = await read('06_quotes.tsv', file);
    expect(documents[20]).toBe('"Wait," said he, and');
    expect(documents).toHaveLength(60);
    expect(table).toMatchObject({ format: 'tab', readings: [] });
  });
  it('asks about a file in which quotation marks may enclose fields', async () => {
    const file = 'id\ttext\n1\t"one ""word"""\n2\ttwo\n';
    const asked = await read('a.tsv', file);
    expect(asked.documents).toEqual(['"one ""word"""', 'two']);
    expect(asked.table?.readings.map(({ format }) => format)).toEqual(['tab', 'tab_quoted']);
    expect((await read('a.tsv', file, { format: 'tab_quoted' })).documents).toEqual([
      'one "word"',
      'two',
    ]);
  });
  it('reads numbers if there is no text', async () => {
    expect((await read('a.tsv', 'n\tm\n1\t22\n')).documents).toEqual(['22']);
  });
});

describe('a run of an earlier version', () => {
  it('goes on with the delimiter and the column that it was trained on', async () => {
    const usual = 'text,story\n' + lines(20, (i) => `no ${i},a long story about the river`);
    expect((await read('a.csv', usual, {}, 1)).table?.column).toBe('text');
    const cut = 'text\n' + lines(20, (i) => `Bread ${i}, butter`);
    expect((await read('a.csv', cut, {}, 1)).documents[0]).toBe('Bread 0');
    expect((await read('a.csv', usual, { column: 'story' }, 1)).table?.column).toBe('story');
  });
});
