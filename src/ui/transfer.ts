/** Files out of the page and into it. */
import { setText, setTokenizerJson, toCsv, toJsonLines, type Client } from '../store/index.ts';
import { goTo } from './place.ts';

export function saveFile(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const anchor = document.createElement('a');
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  // Some browsers read the blob only after the click has returned.
  setTimeout(() => URL.revokeObjectURL(url), 30_000);
}

const fileName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/gu, '') || 'run';
const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

export async function exportCheckpoint(client: Client): Promise<void> {
  try {
    const { name, bytes } = await client.export();
    saveFile(name, new Uint8Array(bytes), 'application/zip');
  } catch (error) {
    client.notify(`The model could not be exported. ${messageOf(error)}`);
  }
}

export function downloadMetrics(client: Client, kind: 'csv' | 'jsonl'): void {
  const { table, run } = client.stores;
  const name = fileName(run.getState().name);
  if (kind === 'csv') saveFile(`${name}-metrics.csv`, toCsv(table), 'text/csv');
  else saveFile(`${name}-metrics.jsonl`, toJsonLines(table), 'application/jsonl');
}

export async function copyLink(client: Client): Promise<void> {
  const url = client.shareUrl(client.stores.form.getState().config);
  try {
    await navigator.clipboard.writeText(url);
    client.notify(
      'The link to this recipe is on the clipboard. It carries the configuration, not the text.',
    );
  } catch {
    history.replaceState(null, '', url);
    client.notify('The browser refused the clipboard; the link stands in the address bar instead.');
  }
}

/** A zip, or the files of a model folder, chosen or dropped together. */
export async function importFileList(client: Client, files: readonly File[]): Promise<void> {
  try {
    const read = await Promise.all(
      files.map(async (file) => ({
        path: file.webkitRelativePath || file.name,
        bytes: new Uint8Array(await file.arrayBuffer()),
      })),
    );
    goTo({ at: 'room' });
    client.importFiles(fileName(files[0]?.name.replace(/\.zip$/iu, '') ?? 'imported'), read);
  } catch (error) {
    client.fail({
      code: 'file_unreadable',
      message: 'The chosen files could not be read.',
      hint: `Choose them again. The browser says: ${messageOf(error)}`,
    });
  }
}

/** Opens a text file as the corpus. What it holds is judged in the worker. */
export async function takeTextFile(client: Client, file: File): Promise<void> {
  try {
    setText(client.stores.form, {
      name: file.name,
      bytes: new Uint8Array(await file.arrayBuffer()),
    });
  } catch (error) {
    client.fail({
      code: 'file_unreadable',
      message: `${file.name} could not be read.`,
      hint: `Open it again. The browser says: ${messageOf(error)}`,
      field: 'data.corpus',
    });
  }
}

/** Largest tokenizer.json that is read: those of large vocabularies have about 20 MB. */
const MAX_TOKENIZER_BYTES = 100_000_000;

export async function takeTokenizer(client: Client, file: File): Promise<void> {
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

/**
 * What is dropped on the page: a zip or model files are imported, a tokenizer.json is taken,
 * anything else is text.
 */
export async function takeDropped(client: Client, files: readonly File[]): Promise<void> {
  const [only] = files;
  if (!only) return;
  if (files.some((file) => /\.(zip|safetensors)$/iu.test(file.name)))
    await importFileList(client, files);
  else if (only.name === 'tokenizer.json') await takeTokenizer(client, only);
  else {
    goTo({ at: 'room', tab: 'recipe' });
    await takeTextFile(client, only);
  }
}
