/** Downloads and uploads: export, metrics, share links, imported models, texts and tokenizers. */
import {
  setText,
  setTokenizerJson,
  toCsv,
  toJsonLines,
  type Client,
  type OwnText,
  type ExportChoice,
} from '../store/index.ts';
import { classify } from './dropped.ts';
import { goTo } from './place.ts';

/** Time for the browser to read a blob: some read it only after `click` has returned. */
const REVOKE_DELAY_MS = 30_000;

/** Offers content as a download. */
export function saveFile(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_DELAY_MS);
}

/** A title as part of a file name. */
export const fileName = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/gu, '') || 'run';

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

export async function exportCheckpoint(client: Client, what: ExportChoice = 'last'): Promise<void> {
  try {
    const { name, bytes } = await client.export(what);
    saveFile(name, new Uint8Array(bytes), 'application/zip');
  } catch (error) {
    client.notify(`The model could not be exported. ${messageOf(error)}`);
  }
}

export function downloadMetrics(client: Client, format: 'csv' | 'jsonl'): void {
  const { table, run } = client.stores;
  const name = fileName(run.getState().name);
  if (format === 'csv') saveFile(`${name}-metrics.csv`, toCsv(table), 'text/csv');
  else saveFile(`${name}-metrics.jsonl`, toJsonLines(table), 'application/jsonl');
}

/** Imports a zip, or the files of a model folder that were selected or dropped together. */
export async function importModel(client: Client, files: readonly File[]): Promise<void> {
  try {
    const contents = await Promise.all(
      files.map(async (file) => ({
        path: file.webkitRelativePath || file.name,
        bytes: new Uint8Array(await file.arrayBuffer()),
      })),
    );
    goTo({ at: 'workspace' });
    const title = files[0]?.name.replace(/\.zip$/iu, '') ?? 'imported';
    client.importFiles(fileName(title), contents);
  } catch (error) {
    client.fail({
      code: 'file_unreadable',
      message: 'The selected files could not be read.',
      hint: `Select them again. The browser reported: ${messageOf(error)}`,
    });
  }
}

/** The largest text that the worker reads. */
const MAX_TEXT_BYTES = 128 * 2 ** 20;

/** Opens text files as the corpus; several are several documents. The worker reads them. */
export async function openTextFiles(client: Client, files: readonly File[]): Promise<void> {
  const sorted = [...files].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const [first] = sorted;
  if (!first) return;
  const name = sorted.length === 1 ? first.name : `${sorted.length} files`;
  const size = sorted.reduce((sum, file) => sum + file.size, 0);
  if (size > MAX_TEXT_BYTES) {
    client.fail({
      code: 'text_too_large',
      message: `"${name}" has ${Math.ceil(size / 2 ** 20)} MB, more than a page can hold.`,
      hint: `Choose a text of at most ${MAX_TEXT_BYTES / 2 ** 20} MB.`,
      field: 'data.corpus',
    });
    return;
  }
  try {
    const bytes = new Uint8Array(await new Blob(sorted).arrayBuffer());
    const text: OwnText = { name, bytes };
    if (sorted.length > 1)
      text.files = sorted.map((file) => ({ name: file.name, bytes: file.size }));
    setText(client.stores.form, text);
  } catch (error) {
    client.fail({
      code: 'file_unreadable',
      message: `${name} could not be read.`,
      hint: `Open it again. The browser reported: ${messageOf(error)}`,
      field: 'data.corpus',
    });
  }
}

/** Size limit of a tokenizer.json; those of large vocabularies have about 20 MB. */
const MAX_TOKENIZER_BYTES = 100_000_000;

export async function openTokenizer(client: Client, file: File): Promise<void> {
  if (file.size > MAX_TOKENIZER_BYTES) {
    client.fail({
      code: 'tokenizer_malformed',
      message: `${file.name} is too large for a tokenizer.json.`,
      hint: 'Open the tokenizer.json of a model folder.',
      field: 'tokenizer.kind',
    });
    return;
  }
  try {
    setTokenizerJson(client.stores.form, file.name, await file.text());
  } catch (error) {
    client.fail({
      code: 'file_unreadable',
      message: `${file.name} could not be read.`,
      hint: `Open it again. The browser reported: ${messageOf(error)}`,
      field: 'tokenizer.kind',
    });
  }
}

/** Opens files that were dropped, or chosen where a text is expected. */
export async function openFiles(client: Client, files: readonly File[]): Promise<void> {
  const dropped = classify(files);
  switch (dropped.kind) {
    case 'model':
      return importModel(client, dropped.files);
    case 'tokenizer':
      return openTokenizer(client, dropped.file);
    case 'texts':
      return openDroppedTexts(client, dropped.files);
    case 'nothing':
      client.notify('There are no files in what was dropped. A folder is read one level deep.');
      return;
    default:
      dropped satisfies never;
  }
}

async function openDroppedTexts(client: Client, files: readonly File[]): Promise<void> {
  const { lesson, config } = client.stores.form.getState();
  if (lesson && !lesson.has('data.corpus') && config.data.corpus !== 'own') {
    client.notify('The text is set for this lesson. Leave the lesson in the menu to use your own.');
    return;
  }
  goTo({ at: 'workspace', tab: 'recipe' });
  await openTextFiles(client, files);
}
