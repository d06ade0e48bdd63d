/** Downloads and uploads: export, metrics, share links, imported models, texts and tokenizers. */
import {
  setText,
  setTokenizerJson,
  toCsv,
  toJsonLines,
  type Client,
  type WeightsChoice,
} from '../store/index.ts';
import { goTo } from './place.ts';

/** Time for the browser to read a blob: some read it only after `click` has returned. */
const REVOKE_DELAY_MS = 30_000;

function saveFile(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_DELAY_MS);
}

const fileName = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/gu, '') || 'run';

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

export async function exportCheckpoint(
  client: Client,
  weights: WeightsChoice = 'last',
): Promise<void> {
  try {
    const { name, bytes } = await client.export(weights);
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

/** Opens a text file as the corpus. The worker validates its content. */
export async function openTextFile(client: Client, file: File): Promise<void> {
  try {
    setText(client.stores.form, {
      name: file.name,
      bytes: new Uint8Array(await file.arrayBuffer()),
    });
  } catch (error) {
    client.fail({
      code: 'file_unreadable',
      message: `${file.name} could not be read.`,
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
  setTokenizerJson(client.stores.form, file.name, await file.text());
}

/** Dropped files: a zip or model files are imported, a tokenizer.json is opened, the rest is text. */
export async function openDropped(client: Client, files: readonly File[]): Promise<void> {
  const [first] = files;
  if (!first) return;
  if (files.some((file) => /\.(zip|safetensors)$/iu.test(file.name))) {
    await importModel(client, files);
    return;
  }
  if (first.name === 'tokenizer.json') {
    await openTokenizer(client, first);
    return;
  }
  const { lesson } = client.stores.form.getState();
  if (lesson && !lesson.has('data.corpus')) {
    client.notify('The text is set for this lesson. Leave the lesson in the menu to use your own.');
    return;
  }
  goTo({ at: 'workspace', tab: 'recipe' });
  await openTextFile(client, first);
}
