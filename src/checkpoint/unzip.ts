/**
 * Reads untrusted zip files. The central directory is parsed here (PKWARE APPNOTE 6.3.10, sections
 * 4.3.7, 4.3.12 and 4.3.16) and each entry is checked before its data is touched. fflate inflates
 * what other tools have compressed, in small pieces.
 */
import { Inflate } from 'fflate';
import { crc32 } from './crc32.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { pickleError } from './pickle.ts';
import { isBomb, type PackedFile } from './unzip_limits.ts';
import {
  CENTRAL_SIGNATURE,
  CENTRAL_SIZE,
  DEFLATED,
  END_SIGNATURE,
  END_SIZE,
  LOCAL_SIGNATURE,
  LOCAL_SIZE,
  MAX_COMMENT,
  STORED,
} from './zip_format.ts';

const MAX_ENTRIES = 10_000;
/** Field values that refer to zip64 records, the format for more than 4 GB. */
const ZIP64_COUNT = 0xffff;
const ZIP64_OFFSET = 0xffff_ffff;

interface ZipEntry extends PackedFile {
  method: number;
  crc: number;
  /** Offset of the local header. */
  header: number;
}

/** An archive that is being read; `name` is for error messages. */
interface Archive {
  name: string;
  bytes: Uint8Array;
  view: DataView;
}

/**
 * Returns the files of a zip by path. Stored files are views of the archive. Throws `bad_zip`,
 * `truncated`, `zip_bomb`, `unsafe_path`, `duplicate_name`, `too_large` or `pickle`.
 */
export function unzipFolder(bytes: Uint8Array, name = 'The zip file'): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const archive: Archive = { name, bytes, view };
  const entries = readDirectory(archive);
  if (entries.some(({ path }) => /(^|\/)data\.pkl$/.test(path))) throw pickleError(name);
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    // Folders and the metadata that macOS adds are not files of the checkpoint.
    if (entry.path.endsWith('/') || entry.path.startsWith('__MACOSX/')) continue;
    files.set(entry.path, readEntry(archive, entry));
  }
  return files;
}

function readDirectory(archive: Archive): ZipEntry[] {
  const { name, bytes } = archive;
  const { count, start, stop } = readEnd(archive);
  const entries: ZipEntry[] = [];
  const paths = new Set<string>();
  let offset = start;
  for (let i = 0; i < count; i++) {
    const next = centralEnd(archive, offset, stop);
    const entry = readCentral(archive, offset);
    if (paths.has(entry.path)) {
      throw damaged('duplicate_name', name, `${shorten(entry.path)} appears twice in it`);
    }
    paths.add(entry.path);
    entries.push(entry);
    offset = next;
  }
  if (offset !== stop) {
    throw damaged('bad_zip', name, 'its list of files is longer than it says');
  }
  if (isBomb(entries, bytes.length)) throw bomb(name);
  return entries;
}

/** Reads where the central directory is. */
function readEnd(archive: Archive): { count: number; start: number; stop: number } {
  const { name, view } = archive;
  const end = findEnd(archive);
  const count = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  const stop = start + view.getUint32(end + 12, true);
  if (count === ZIP64_COUNT || start === ZIP64_OFFSET) {
    throw new CheckpointError(
      'too_large',
      `${name} uses the format for more than 4 GB, which is not supported.`,
      "Unzip it and bring the folder's files.",
    );
  }
  if (count > MAX_ENTRIES) throw damaged('bad_zip', name, `it lists ${count} files`);
  if (stop > end || view.getUint16(end + 8, true) !== count) {
    throw damaged('bad_zip', name, 'its list of files is not where it should be');
  }
  return { count, start, stop };
}

/** Finds the end record, which only a comment may follow. */
function findEnd({ name, bytes, view }: Archive): number {
  const lowest = Math.max(0, bytes.length - END_SIZE - MAX_COMMENT);
  for (let offset = bytes.length - END_SIZE; offset >= lowest; offset--) {
    if (view.getUint32(offset, true) !== END_SIGNATURE) continue;
    if (offset + END_SIZE + view.getUint16(offset + 20, true) === bytes.length) return offset;
  }
  const startsAsZip = bytes[0] === 0x50 && bytes[1] === 0x4b;
  throw startsAsZip
    ? damaged('truncated', name, 'its end is missing')
    : damaged('bad_zip', name, 'it is not a zip file');
}

/** Offset behind the central header at `offset`. */
function centralEnd({ name, view }: Archive, offset: number, stop: number): number {
  const cutShort = () => damaged('bad_zip', name, 'its list of files is cut short');
  if (offset + CENTRAL_SIZE > stop) throw cutShort();
  if (view.getUint32(offset, true) !== CENTRAL_SIGNATURE) throw cutShort();
  const nameLength = view.getUint16(offset + 28, true);
  const extraLength = view.getUint16(offset + 30, true);
  const commentLength = view.getUint16(offset + 32, true);
  const next = offset + CENTRAL_SIZE + nameLength + extraLength + commentLength;
  if (next > stop) throw cutShort();
  return next;
}

function readCentral({ name, bytes, view }: Archive, offset: number): ZipEntry {
  const pathStart = offset + CENTRAL_SIZE;
  const pathLength = view.getUint16(offset + 28, true);
  const path = checkedPath(bytes.subarray(pathStart, pathStart + pathLength), name);
  const flags = view.getUint16(offset + 8, true);
  const method = view.getUint16(offset + 10, true);
  const crc = view.getUint32(offset + 16, true);
  const packed = view.getUint32(offset + 20, true);
  const size = view.getUint32(offset + 24, true);
  if (flags & 1) {
    throw new CheckpointError(
      'bad_zip',
      `${name} is encrypted.`,
      "Unzip it with its password and bring the folder's files.",
    );
  }
  if (method !== STORED && method !== DEFLATED) {
    throw new CheckpointError(
      'bad_zip',
      `${name} uses a compression method that is not supported.`,
      "Unzip it and bring the folder's files.",
    );
  }
  if (method === STORED && packed !== size) {
    throw damaged('bad_zip', name, `${shorten(path)} has two sizes`);
  }
  return { path, method, crc, packed, size, header: view.getUint32(offset + 42, true) };
}

/** Decodes a path that stays inside the folder on every operating system. */
function checkedPath(raw: Uint8Array, name: string): string {
  let path: string;
  try {
    path = new TextDecoder('utf-8', { fatal: true }).decode(raw);
  } catch (cause) {
    throw damaged('bad_zip', name, 'a file name in it is not UTF-8', cause);
  }
  const parts = path.replace(/\/$/, '').split('/');
  const unsafe =
    path.length > 1024 ||
    /[\\\p{Cc}]|^[a-zA-Z]:/u.test(path) ||
    parts.some((part) => part === '' || part === '.' || part === '..' || part === '__proto__');
  if (!unsafe) return path;
  throw new CheckpointError(
    'unsafe_path',
    `${name} contains a file whose name leads out of its folder: ${shorten(path)}.`,
    'Do not use this file. Get it from its author again.',
  );
}

function readEntry({ name, bytes, view }: Archive, entry: ZipEntry): Uint8Array {
  const { header, packed: length } = entry;
  const label = shorten(entry.path);
  if (header + LOCAL_SIZE > bytes.length || view.getUint32(header, true) !== LOCAL_SIGNATURE) {
    throw damaged('bad_zip', name, `${label} is not where the list says`);
  }
  const nameLength = view.getUint16(header + 26, true);
  const extraLength = view.getUint16(header + 28, true);
  const start = header + LOCAL_SIZE + nameLength + extraLength;
  if (start + length > bytes.length) {
    throw damaged('truncated', name, `${label} ends beyond the end of the file`);
  }
  const packed = bytes.subarray(start, start + length);
  const data = entry.method === STORED ? packed : inflate(packed, entry, name);
  if (crc32(data) !== entry.crc) {
    throw damaged('bad_zip', name, `${label} was changed after it was packed`);
  }
  return data;
}

/** Bytes that are inflated at a time. */
const INFLATE_STEP = 1 << 12;

/** Stops as soon as the output is longer than declared. */
function inflate(packed: Uint8Array, { path, size }: ZipEntry, name: string): Uint8Array {
  const out = new Uint8Array(size);
  let length = 0;
  let ended = false;
  const inflater = new Inflate((chunk, final) => {
    if (length + chunk.length > size) throw bomb(name);
    out.set(chunk, length);
    length += chunk.length;
    ended ||= final;
  });
  try {
    for (let i = 0; i < packed.length; i += INFLATE_STEP) {
      inflater.push(packed.subarray(i, i + INFLATE_STEP), i + INFLATE_STEP >= packed.length);
    }
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw damaged('bad_zip', name, `${shorten(path)} cannot be decompressed`, cause);
  }
  if (!ended || length !== size) {
    throw damaged('bad_zip', name, `${shorten(path)} has another length than the list says`);
  }
  return out;
}

const bomb = (name: string) =>
  new CheckpointError(
    'zip_bomb',
    `${name} unpacks to far more than a model of its size explains.`,
    'Do not use this file: it is made to fill the memory.',
  );
