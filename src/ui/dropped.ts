/** Dropped files, the files directly inside dropped folders, and what they are. */

/** What files that came together are. */
export type Dropped =
  | { kind: 'model'; files: File[] }
  | { kind: 'tokenizer'; file: File }
  | { kind: 'texts'; files: File[] }
  | { kind: 'nothing' };

/** Files that only come with a model, whatever else a model folder has; a zip is unpacked later. */
const OF_MODEL =
  /\.(zip|safetensors|bin|pt|pth|ckpt|gguf|h5|onnx|msgpack|index\.json)$|^(adapter_)?config\.json$/iu;
/** Also under the name of a second download, such as "tokenizer (1).json"; not tokenizer_config.json. */
const TOKENIZER = /(^|[^a-z])tokenizer[^a-z]*\.json$/iu;
/** Files that systems leave in folders. */
const HIDDEN = /^\.|^(Thumbs\.db|desktop\.ini)$/iu;

/**
 * Recognises a model by any of its files, so that its config.json or its README never become
 * training text; then a tokenizer; everything else is text.
 */
export function classify(all: readonly File[]): Dropped {
  const files = all.filter(({ name }) => !HIDDEN.test(name));
  if (files.length === 0) return { kind: 'nothing' };
  if (files.some(({ name }) => OF_MODEL.test(name))) return { kind: 'model', files };
  const tokenizer = files.find(({ name }) => TOKENIZER.test(name));
  if (tokenizer) return { kind: 'tokenizer', file: tokenizer };
  return { kind: 'texts', files };
}

/** Files of a drop. Folders are read one level deep: a model folder has no subfolders. */
export async function filesOfDrop(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry())
    .filter((entry) => entry !== null);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const files = await Promise.all(entries.map(filesOfEntry));
  return files.flat();
}

async function filesOfEntry(entry: FileSystemEntry): Promise<File[]> {
  if (isFile(entry)) return [await readFile(entry)];
  if (!isDirectory(entry)) return [];
  const children = await readDirectory(entry);
  return Promise.all(children.filter(isFile).map(readFile));
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isDirectory = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry =>
  entry.isDirectory;

const readFile = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

/** `readEntries` returns a folder in batches and marks the end with an empty one. */
async function readDirectory(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (batch.length === 0) return all;
    all.push(...batch);
  }
}
