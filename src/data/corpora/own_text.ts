/** The user's own text: plain text as it is, or one column of .jsonl, .csv and .tsv files. */
import {
  WHOLE_ROWS,
  type OwnText,
  type SplitVersion,
  type TableFacts,
  type TableReading,
} from '../../common/index.ts';
import { DataError } from '../errors.ts';
import type { Corpus } from '../types.ts';
import { chooseColumn } from './column.ts';
import { loadPapa, readAs, sensibleReadings, type Papa, type Reading } from './delimited.ts';
import { readJsonLines } from './json_lines.ts';
import { legacyColumn, legacyFormat } from './legacy_table.ts';
import { plainTextDocuments } from './plain_text.ts';
import { columnDocuments, type TextTable } from './table.ts';

/** A larger text, with its tokens at four bytes each, would exceed the memory of a tab. */
export const MAX_TEXT_BYTES = 128 * 2 ** 20;

const PREVIEW_ROWS = 3;
/** Characters of the preview of a reading. */
const PREVIEW_LENGTH = 400;

/** One file of the text. */
interface TextFile {
  name: string;
  bytes: Uint8Array;
}

/** What one file gives. */
type FileContent = Pick<Corpus, 'documents' | 'separator' | 'continuous' | 'table'> & {
  replaced: number;
};

/**
 * Reads a text as documents; the extension of its name decides how. Several files are several
 * documents, or as many as each of them has.
 *
 * @param version Of the split: 1 chooses delimiter and column as earlier versions did.
 * @throws DataError text_too_large, text_not_utf8, text_empty, malformed_line or unknown_column
 */
export async function readOwnText(own: OwnText, version?: SplitVersion): Promise<Corpus> {
  const { name, bytes } = own;
  if (bytes.length > MAX_TEXT_BYTES) {
    throw new DataError(
      'text_too_large',
      `"${name}" has ${Math.ceil(bytes.length / 2 ** 20)} MB, more than a page can hold.`,
      `Choose a text of at most ${MAX_TEXT_BYTES / 2 ** 20} MB.`,
    );
  }
  const files = filesOf(own);
  const contents: FileContent[] = [];
  for (const file of files) contents.push(await readFile(file, own, version));
  const [first] = contents;
  const content = contents.length === 1 && first ? first : joined(contents, files);
  const { documents, separator, continuous, table, replaced } = content;
  if (documents.length === 0) throw empty(name);
  const corpus: Corpus = { name, source: sourceOf(table), documents, separator };
  if (continuous !== undefined) corpus.continuous = continuous;
  if (table) corpus.table = table;
  corpus.notes = notesOf(replaced + (own.replaced ?? 0));
  return corpus;
}

/** The files that the text consists of. */
function filesOf({ name, bytes, files }: OwnText): TextFile[] {
  if (!files || files.length < 2) return [{ name, bytes }];
  let start = 0;
  return files.map((file) => {
    const end = start + file.bytes;
    const part = { name: file.name, bytes: bytes.subarray(start, end) };
    start = end;
    return part;
  });
}

async function readFile(
  { name, bytes }: TextFile,
  own: OwnText,
  version?: SplitVersion,
): Promise<FileContent> {
  const text = decodeUtf8(name, bytes);
  if (text.trim() === '') throw empty(name);
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (extension === 'jsonl' || extension === 'ndjson') {
    const { table, replaced } = readJsonLines(text, name);
    return { ...tableContent(table, { name, own, version }), replaced };
  }
  if (extension !== 'csv' && extension !== 'tsv')
    return { ...plainTextDocuments(text), replaced: 0 };
  const papa = await loadPapa();
  const readings = delimitedReadings(papa, text, { name, own, version });
  const reading = readings.find(({ format }) => format === own.format) ?? readings[0];
  const content = tableContent(reading.table, { name, own, version, reading, readings });
  return { ...content, replaced: 0 };
}

interface TableContext {
  name: string;
  own: OwnText;
  version: SplitVersion | undefined;
  reading?: Reading;
  readings?: readonly Reading[];
}

function delimitedReadings(
  papa: Papa,
  text: string,
  { name, own, version }: TableContext,
): [Reading, ...Reading[]] {
  if (version !== 1 || own.format) return sensibleReadings(papa, text, name);
  return [readAs(papa, text, legacyFormat(text))];
}

function tableContent(
  table: TextTable,
  { name, own, version, reading, readings = [] }: TableContext,
): Omit<FileContent, 'replaced'> {
  const legacy = version === 1 && !own.column ? legacyColumn(table) : undefined;
  // One of several files may lack the column that was chosen for the others.
  const isMissing = own.files && own.column && !table.columns.includes(own.column);
  const requested = isMissing && own.column !== WHOLE_ROWS ? undefined : own.column;
  const column = legacy ?? chooseColumn(table, requested, name);
  const documents = columnDocuments(table, column);
  if (documents.length === 0) throw empty(name);
  const facts: TableFacts = {
    columns: table.columns,
    column,
    format: reading?.format ?? null,
    readings: readings.length > 1 ? readings.map(describe) : [],
  };
  return { documents, separator: separatorOf(documents), table: facts };
}

/** A reading as the page shows it. */
function describe({ format, table }: Reading): TableReading {
  const column = chooseColumn(table, undefined, '');
  const rows = columnDocuments(table, column).length;
  const preview = Array.from({ length: Math.min(PREVIEW_ROWS, table.rows) }, (_, row) =>
    table.columns.map((name) => table.value(row, name)?.trim() ?? '').join(' │ '),
  );
  return {
    format,
    rows,
    columns: table.columns,
    preview: preview.join('\n').slice(0, PREVIEW_LENGTH),
  };
}

/** Several files as one corpus. A running text is one document. */
function joined(contents: readonly FileContent[], files: readonly TextFile[]): FileContent {
  const documents = contents.flatMap(({ documents: own, separator, continuous }) =>
    continuous ? [own.join(separator).trim()] : own,
  );
  const tables = contents.flatMap(({ table }) => table ?? []);
  const replaced = contents.reduce((sum, content) => sum + content.replaced, 0);
  const content: FileContent = { documents, separator: separatorOf(documents), replaced };
  const [first] = tables;
  if (!first || tables.length < files.length) return content;
  const columns = [...new Set(tables.flatMap((table) => table.columns))];
  const asked = tables.find(({ readings }) => readings.length > 0) ?? first;
  return { ...content, table: { ...asked, columns } };
}

const separatorOf = (documents: readonly string[]): string =>
  documents.some((document) => document.includes('\n')) ? '\n\n' : '\n';

const sourceOf = (table: TableFacts | undefined): string =>
  table ? `Own text, column "${table.column}"` : 'Own text';

const notesOf = (replaced: number): string[] =>
  replaced === 0
    ? []
    : [
        `${replaced.toLocaleString('en')} broken ${replaced === 1 ? 'character' : 'characters'}` +
          ` (half of a surrogate pair) ${replaced === 1 ? 'was' : 'were'} replaced by U+FFFD.`,
      ];

const empty = (name: string) =>
  new DataError(
    'text_empty',
    `"${name}" has no text in it.`,
    'Choose a text with some words in it.',
  );

/** Normalises line ends to \n and drops a byte order mark. */
function decodeUtf8(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r\n?/g, '\n');
  } catch {
    throw new DataError(
      'text_not_utf8',
      `"${name}" is not text in UTF-8.`,
      'Save it again as plain text in UTF-8.',
    );
  }
}
