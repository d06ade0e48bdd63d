/**
 * The safetensors format: eight bytes of header length, a JSON header of {name: {dtype, shape,
 * data_offsets}}, then the tensors without gaps (https://github.com/huggingface/safetensors, section
 * "Format").
 *
 * The writer allocates the file once and lets each tensor write into its place. The reader returns
 * views of the file, which are decoded to float32 one at a time. Neither holds more than the file and
 * one copy of the values.
 */
import { DTYPE_BYTES, isDtype, toFloat32, type Dtype } from './dtype.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { isRecord, parseRecord } from './json.ts';
import { refusePickle } from './pickle.ts';

/** A tensor to be written as F32. `write` fills the product of `shape` values, row-major. */
export interface TensorSource {
  name: string;
  shape: readonly number[];
  write(out: Float32Array): void;
}

/** A tensor of a file that is being read. `bytes` is a view of the file. */
export interface TensorView {
  name: string;
  file: string;
  dtype: Dtype;
  shape: readonly number[];
  bytes: Uint8Array;
}

export interface SafetensorsFile {
  metadata: ReadonlyMap<string, string>;
  tensors: ReadonlyMap<string, TensorView>;
}

/**
 * Largest header that is read, in bytes. The format allows 100 MB, but a model of 48 layers needs
 * 0.1 MB, and parsed JSON takes several times the memory.
 */
const MAX_HEADER = 4 * 2 ** 20;
const MAX_RANK = 8;

const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);

/**
 * Encodes one file, with the metadata that transformers requires. Throws `too_large` if there is
 * not enough memory.
 */
export function writeSafetensors(
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  const starts: number[] = [];
  let end = 0;
  for (const { name, shape } of tensors) {
    const start = end;
    end += 4 * sizeOf(shape);
    header[name] = { dtype: 'F32', shape, data_offsets: [start, end] };
    starts.push(start);
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const base = 8 + Math.ceil(json.length / 8) * 8;
  const file = allocate(base + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(base - 8), true);
  file.fill(0x20, 8, base);
  file.set(json, 8);
  tensors.forEach((tensor, i) => {
    tensor.write(new Float32Array(file.buffer, base + (starts[i] ?? 0), sizeOf(tensor.shape)));
  });
  return file;
}

function allocate(size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new CheckpointError(
      'too_large',
      `There is not enough memory to write a file of ${Math.ceil(size / 2 ** 20)} MB.`,
      'Close other tabs, or save a smaller model.',
      { cause },
    );
  }
}

/**
 * Reads the header and checks that every byte of the data belongs to exactly one tensor. Throws
 * `truncated`, `bad_header`, `bad_json`, `bad_dtype`, `bad_shape`, `bad_offsets`, `duplicate_name`,
 * `forbidden_name`, `too_large` or `pickle`.
 */
export function readSafetensors(bytes: Uint8Array, file = 'model.safetensors'): SafetensorsFile {
  refusePickle(bytes, file);
  const base = dataStart(bytes, file);
  const header = parseRecord(bytes.subarray(8, base), file);
  const data = bytes.subarray(base);
  const tensors = new Map<string, TensorView>();
  const ranges: Range[] = [];
  let metadata = new Map<string, string>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') {
      metadata = readMetadata(entry, file);
      continue;
    }
    const { dtype, shape, start, end } = readEntry(name, entry, file);
    ranges.push({ name, start, end });
    tensors.set(name, { name, file, dtype, shape, bytes: data.subarray(start, end) });
  }
  checkRanges(ranges, data.length, file);
  return { metadata, tensors };
}

/** Decodes a tensor into a new float32 array. Throws `bad_dtype`. */
export const readTensor = (view: TensorView): Float32Array => toFloat32(view);

/** Offset of the first byte after the header. */
function dataStart(bytes: Uint8Array, file: string): number {
  if (bytes.length < 10) throw damaged('truncated', file, `it has only ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) {
    throw damaged('truncated', file, 'its header is longer than the file');
  }
  if (length > MAX_HEADER) {
    const what = `its header has ${length} bytes, but the limit is ${MAX_HEADER}`;
    throw damaged('too_large', file, what);
  }
  if (bytes[8] !== 0x7b) throw damaged('bad_header', file, 'its header is not a JSON object');
  return 8 + Number(length);
}

/** The bytes of a tensor, relative to the data. */
interface Range {
  name: string;
  start: number;
  end: number;
}

function readMetadata(entry: unknown, file: string): Map<string, string> {
  if (!isRecord(entry)) throw damaged('bad_header', file, 'its __metadata__ is not an object');
  const metadata = new Map<string, string>();
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== 'string') {
      throw damaged('bad_header', file, 'its __metadata__ contains something other than text');
    }
    metadata.set(key, value);
  }
  return metadata;
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function readEntry(
  name: string,
  entry: unknown,
  file: string,
): { dtype: Dtype; shape: number[]; start: number; end: number } {
  const label = shorten(name);
  if (!isRecord(entry)) throw damaged('bad_header', file, `the entry of ${label} is not an object`);
  const { dtype, shape, data_offsets } = entry;
  if (!isDtype(dtype)) {
    throw damaged('bad_dtype', file, `${label} has an unknown number format`);
  }
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount)) {
    throw damaged('bad_shape', file, `${label} has an impossible shape`);
  }
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isCount)) {
    throw damaged('bad_offsets', file, `${label} does not say where its data is`);
  }
  const [start = 0, end = 0] = data_offsets;
  // A product beyond 2^53 is inexact, but then it differs from the length of any file anyway.
  if (sizeOf(shape) * DTYPE_BYTES[dtype] !== end - start) {
    const what = `${label} has the shape [${shorten(shape.join(', '))}], which does not fit its ${end - start} bytes`;
    throw damaged('bad_shape', file, what);
  }
  return { dtype, shape, start, end };
}

/** The format forbids gaps and overlaps: sorted by start, each range begins where the last ended. */
function checkRanges(ranges: Range[], length: number, file: string): void {
  ranges.sort((a, b) => a.start - b.start || a.end - b.end);
  let expectedStart = 0;
  for (const { name, start, end } of ranges) {
    const label = shorten(name);
    if (end > length) throw damaged('truncated', file, `${label} ends beyond the end of the file`);
    if (start < expectedStart) {
      throw damaged('bad_offsets', file, `${label} overlaps another tensor`);
    }
    if (start > expectedStart) {
      const gap = start - expectedStart;
      throw damaged('bad_offsets', file, `there is a gap of ${gap} bytes before ${label}`);
    }
    expectedStart = end;
  }
  if (expectedStart !== length) {
    const rest = length - expectedStart;
    throw damaged('bad_offsets', file, `${rest} bytes at its end belong to no tensor`);
  }
}
