/**
 * Reads an untrusted zip file from a Blob, one entry at a time, so that a large file is never in
 * memory as a whole (PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16). The browser inflates
 * what other tools have compressed.
 */
import { crc32 } from '../crc32.ts';
import { CheckpointError, damaged, shorten } from '../error.ts';
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
} from '../zip_format.ts';

const MAX_DIRECTORY = 2 ** 24;
/** Deflate cannot compress further than this. */
const MAX_RATIO = 1032;

export interface BlobEntry {
  path: string;
  method: number;
  crc: number;
  /** Bytes in the archive. */
  packed: number;
  /** Bytes when unpacked. */
  size: number;
  /** Offset of the local header. */
  header: number;
}

const viewOf = async (blob: Blob, start: number, end: number): Promise<DataView> =>
  new DataView(await blob.slice(start, end).arrayBuffer());

/**
 * The entries of a zip, in its order. Throws `bad_zip`, `too_large`, `zip_bomb` or `duplicate_name`.
 * Paths are not checked.
 */
export async function readDirectory(blob: Blob, name: string): Promise<BlobEntry[]> {
  const { count, start, stop } = await readEnd(blob, name);
  if (stop - start > MAX_DIRECTORY) throw damaged('bad_zip', name, 'its list of files is too long');
  const view = await viewOf(blob, start, stop);
  const entries = new Map<string, BlobEntry>();
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const { entry, next } = readCentral(view, offset, name);
    if (entries.has(entry.path)) {
      throw damaged('duplicate_name', name, `${shorten(entry.path)} appears twice in it`);
    }
    entries.set(entry.path, entry);
    offset = next;
  }
  return [...entries.values()];
}

async function readEnd(
  blob: Blob,
  name: string,
): Promise<{ count: number; start: number; stop: number }> {
  const tail = Math.max(0, blob.size - END_SIZE - MAX_COMMENT);
  const view = await viewOf(blob, tail, blob.size);
  for (let offset = view.byteLength - END_SIZE; offset >= 0; offset--) {
    if (view.getUint32(offset, true) !== END_SIGNATURE) continue;
    const count = view.getUint16(offset + 10, true);
    const start = view.getUint32(offset + 16, true);
    const stop = start + view.getUint32(offset + 12, true);
    if (stop > tail + offset) break;
    return { count, start, stop };
  }
  throw damaged('bad_zip', name, 'it is not a zip file, or its end is missing');
}

function readCentral(
  view: DataView,
  offset: number,
  name: string,
): { entry: BlobEntry; next: number } {
  const cutShort = () => damaged('bad_zip', name, 'its list of files is cut short');
  if (offset + CENTRAL_SIZE > view.byteLength) throw cutShort();
  if (view.getUint32(offset, true) !== CENTRAL_SIGNATURE) throw cutShort();
  const pathLength = view.getUint16(offset + 28, true);
  const extraLength = view.getUint16(offset + 30, true);
  const commentLength = view.getUint16(offset + 32, true);
  const next = offset + CENTRAL_SIZE + pathLength + extraLength + commentLength;
  if (next > view.byteLength) throw cutShort();
  const path = new TextDecoder().decode(
    new Uint8Array(view.buffer, view.byteOffset + offset + CENTRAL_SIZE, pathLength),
  );
  const entry: BlobEntry = {
    path,
    method: view.getUint16(offset + 10, true),
    crc: view.getUint32(offset + 16, true),
    packed: view.getUint32(offset + 20, true),
    size: view.getUint32(offset + 24, true),
    header: view.getUint32(offset + 42, true),
  };
  checkEntry(entry, view.getUint16(offset + 8, true), name);
  return { entry, next };
}

function checkEntry({ path, method, packed, size }: BlobEntry, flags: number, name: string): void {
  if (flags & 1) throw damaged('bad_zip', name, `${shorten(path)} is encrypted`);
  if (method !== STORED && method !== DEFLATED) {
    throw damaged('bad_zip', name, `${shorten(path)} is compressed in a way that is not supported`);
  }
  if (method === STORED && packed !== size) {
    throw damaged('bad_zip', name, `${shorten(path)} has two sizes`);
  }
  if (size > packed * MAX_RATIO + 100) throw bomb(name);
}

/** The content of one entry. Throws `bad_zip`, `truncated` or `zip_bomb`. */
export async function readEntry(blob: Blob, entry: BlobEntry, name: string): Promise<Uint8Array> {
  const label = shorten(entry.path);
  const local = await viewOf(blob, entry.header, entry.header + LOCAL_SIZE);
  if (local.byteLength < LOCAL_SIZE || local.getUint32(0, true) !== LOCAL_SIGNATURE) {
    throw damaged('bad_zip', name, `${label} is not where the list says`);
  }
  const skipped = local.getUint16(26, true) + local.getUint16(28, true);
  const start = entry.header + LOCAL_SIZE + skipped;
  if (start + entry.packed > blob.size) {
    throw damaged('truncated', name, `${label} ends beyond the end of the file`);
  }
  const packed = blob.slice(start, start + entry.packed);
  const bytes =
    entry.method === STORED
      ? new Uint8Array(await packed.arrayBuffer())
      : await inflate(packed, entry, name);
  if (crc32(bytes) !== entry.crc) {
    throw damaged('bad_zip', name, `${label} was changed after it was packed`);
  }
  return bytes;
}

/** Stops as soon as the output is longer than declared. */
async function inflate(packed: Blob, { path, size }: BlobEntry, name: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = packed.stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      length += read.value.length;
      if (length > size) throw bomb(name);
      parts.push(read.value);
    }
  } catch (cause) {
    await reader.cancel().catch(() => undefined);
    if (cause instanceof CheckpointError) throw cause;
    throw damaged('bad_zip', name, `${shorten(path)} cannot be decompressed`, cause);
  }
  if (length !== size) {
    throw damaged('bad_zip', name, `${shorten(path)} has another length than the list says`);
  }
  return joined(parts, length);
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

const bomb = (name: string) =>
  new CheckpointError(
    'zip_bomb',
    `${name} unpacks to far more than it says.`,
    'Do not use this file: it is made to fill the memory.',
  );
