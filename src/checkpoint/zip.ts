/**
 * The export: a folder as one zip file, its entries stored, not compressed (float weights hardly
 * shrink).
 *
 * The reader walks the central directory itself (PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and
 * 4.3.16) and checks each entry before it touches its data; fflate inflates, a little at a time,
 * what other tools have compressed.
 */
import { Inflate, zipSync } from 'fflate';
import { crc32 } from './crc32.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { pickleError } from './pickle.ts';

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_SIZE = 22;
const CENTRAL_SIZE = 46;
const LOCAL_SIZE = 30;
const MAX_COMMENT = 0xffff;
const MAX_ENTRIES = 10_000;
/** Beyond 4 GB the format changes (zip64). */
const MAX_ZIP = 0xffff_ffff;
/** Weights deflate by a tenth, JSON to a tenth: an honest folder never asks for more than this. */
const allowance = (archive: number) => 2 * archive + 2 ** 20;

/** One zip of all files under a folder name. Throws `too_large`. */
export function zipFolder(files: ReadonlyMap<string, Uint8Array>, folder = ''): Uint8Array {
  const total = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  if (total > MAX_ZIP - 2 ** 20)
    throw new CheckpointError(
      'too_large',
      'The checkpoint is larger than the 4 GB that a zip file holds.',
      'Save a smaller model.',
    );
  const prefix =
    folder === '' ? '' : `${folder.replace(/[^\w.-]+/g, '-').replace(/^\.+/, '') || 'terrarium'}/`;
  try {
    return zipSync(Object.fromEntries([...files].map(([path, bytes]) => [prefix + path, bytes])), {
      level: 0,
    });
  } catch (cause) {
    throw new CheckpointError(
      'too_large',
      'There is not enough memory to put the checkpoint into one file.',
      'Close other tabs and try again.',
      { cause },
    );
  }
}

interface Entry {
  path: string;
  method: number;
  crc: number;
  packed: number;
  size: number;
  header: number;
}

/**
 * The files of a zip by path. Stored files are views of the archive. Throws `bad_zip`, `truncated`,
 * `zip_bomb`, `unsafe_path`, `duplicate_name`, `too_large` or `pickle`.
 */
export function unzipFolder(bytes: Uint8Array, name = 'The zip file'): Map<string, Uint8Array> {
  const entries = readDirectory(bytes, name);
  const out = new Map<string, Uint8Array>();
  if (entries.some((entry) => /(^|\/)data\.pkl$/.test(entry.path))) throw pickleError(name);
  for (const entry of entries) {
    // What macOS adds, and folders, are not files of the checkpoint.
    if (entry.path.endsWith('/') || entry.path.startsWith('__MACOSX/')) continue;
    out.set(entry.path, readEntry(bytes, entry, name));
  }
  return out;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

function readDirectory(bytes: Uint8Array, name: string): Entry[] {
  const end = findEnd(bytes, name);
  const view = viewOf(bytes);
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  const stop = start + view.getUint32(end + 12, true);
  if (count === 0xffff || start === MAX_ZIP)
    throw new CheckpointError(
      'too_large',
      `${name} is in the format for more than 4 GB, which is not read here.`,
      "Unzip it and bring the folder's files.",
    );
  if (count > MAX_ENTRIES) throw damaged('bad_zip', name, `it lists ${count} files`);
  if (stop > end || view.getUint16(end + 8, true) !== count)
    throw damaged('bad_zip', name, 'its list of files is not where it should be');
  const entries: Entry[] = [];
  const paths = new Set<string>();
  let at = start;
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_SIZE > stop || view.getUint32(at, true) !== CENTRAL)
      throw damaged('bad_zip', name, 'its list of files is cut short');
    const next =
      at +
      CENTRAL_SIZE +
      view.getUint16(at + 28, true) +
      view.getUint16(at + 30, true) +
      view.getUint16(at + 32, true);
    if (next > stop) throw damaged('bad_zip', name, 'its list of files is cut short');
    const entry = centralEntry(bytes, view, at, name);
    if (paths.has(entry.path))
      throw damaged('duplicate_name', name, `${shorten(entry.path)} stands in it twice`);
    paths.add(entry.path);
    total += entry.size;
    entries.push(entry);
    at = next;
  }
  if (at !== stop) throw damaged('bad_zip', name, 'its list of files is longer than it says');
  if (total > allowance(bytes.length)) throw bomb(name);
  return entries;
}

/** The end record is at the very end but for a comment. */
function findEnd(bytes: Uint8Array, name: string): number {
  const view = viewOf(bytes);
  const lowest = Math.max(0, bytes.length - END_SIZE - MAX_COMMENT);
  for (let at = bytes.length - END_SIZE; at >= lowest; at--) {
    if (
      view.getUint32(at, true) === END &&
      at + END_SIZE + view.getUint16(at + 20, true) === bytes.length
    )
      return at;
  }
  const zip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  throw damaged(
    zip ? 'truncated' : 'bad_zip',
    name,
    zip ? 'its end is missing' : 'it is not a zip file',
  );
}

function centralEntry(bytes: Uint8Array, view: DataView, at: number, name: string): Entry {
  const path = checkPath(
    bytes.subarray(at + CENTRAL_SIZE, at + CENTRAL_SIZE + view.getUint16(at + 28, true)),
    name,
  );
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const packed = view.getUint32(at + 20, true);
  const size = view.getUint32(at + 24, true);
  if (flags & 1)
    throw new CheckpointError(
      'bad_zip',
      `${name} is encrypted.`,
      "Unzip it with its password and bring the folder's files.",
    );
  if (method !== 0 && method !== 8)
    throw new CheckpointError(
      'bad_zip',
      `${name} is compressed in a way that is not read here.`,
      "Unzip it and bring the folder's files.",
    );
  if (method === 0 && packed !== size)
    throw damaged('bad_zip', name, `${shorten(path)} has two sizes`);
  return {
    path,
    method,
    crc: view.getUint32(at + 16, true),
    packed,
    size,
    header: view.getUint32(at + 42, true),
  };
}

/** Paths stay inside the folder, whatever system they are meant for. */
function checkPath(raw: Uint8Array, name: string): string {
  let path: string;
  try {
    path = new TextDecoder('utf-8', { fatal: true }).decode(raw);
  } catch (cause) {
    throw damaged('bad_zip', name, 'a file name in it is not UTF-8', cause);
  }
  const parts = path.replace(/\/$/, '').split('/');
  if (
    path.length > 1024 ||
    /[\\\p{Cc}]|^[a-zA-Z]:/u.test(path) ||
    parts.some((part) => part === '' || part === '.' || part === '..' || part === '__proto__')
  ) {
    throw new CheckpointError(
      'unsafe_path',
      `${name} holds a file whose name leads out of its folder: ${shorten(path)}.`,
      'Do not use this file; get it from its author again.',
    );
  }
  return path;
}

function readEntry(bytes: Uint8Array, entry: Entry, name: string): Uint8Array {
  const view = viewOf(bytes);
  const label = shorten(entry.path);
  if (entry.header + LOCAL_SIZE > bytes.length || view.getUint32(entry.header, true) !== LOCAL)
    throw damaged('bad_zip', name, `${label} is not where the list says`);
  const start =
    entry.header +
    LOCAL_SIZE +
    view.getUint16(entry.header + 26, true) +
    view.getUint16(entry.header + 28, true);
  if (start + entry.packed > bytes.length)
    throw damaged('truncated', name, `${label} ends beyond the end of the file`);
  const packed = bytes.subarray(start, start + entry.packed);
  const data = entry.method === 0 ? packed : inflate(packed, entry, name);
  if (crc32(data) !== entry.crc)
    throw damaged('bad_zip', name, `${label} was changed after it was packed`);
  return data;
}

/** Stops as soon as more comes out than was declared. */
function inflate(packed: Uint8Array, { path, size }: Entry, name: string): Uint8Array {
  const out = new Uint8Array(size);
  const step = 1 << 12;
  let at = 0;
  let ended = false;
  const inflater = new Inflate((chunk, final) => {
    if (at + chunk.length > size) throw bomb(name);
    out.set(chunk, at);
    at += chunk.length;
    ended ||= final;
  });
  try {
    for (let i = 0; i < packed.length; i += step)
      inflater.push(packed.subarray(i, i + step), i + step >= packed.length);
  } catch (cause) {
    throw cause instanceof CheckpointError
      ? cause
      : damaged('bad_zip', name, `${shorten(path)} cannot be decompressed`, cause);
  }
  if (!ended || at !== size)
    throw damaged('bad_zip', name, `${shorten(path)} has another length than the list says`);
  return out;
}

const bomb = (name: string) =>
  new CheckpointError(
    'zip_bomb',
    `${name} unpacks to far more than its own size.`,
    'Do not use this file: it is made to fill the memory.',
  );
