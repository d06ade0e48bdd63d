/**
 * The safetensors format: eight bytes of header length, a JSON header of {name: {dtype, shape,
 * data_offsets}}, then the tensors side by side (https://github.com/huggingface/safetensors,
 * section "Format").
 *
 * The writer lays out one file and lets each tensor write itself into its place; the reader hands
 * out views of the file and turns them into float32 one at a time. Neither holds more than the file
 * and the values once.
 */
import { DTYPE_BYTES, isDtype, toFloat32, type Dtype } from './dtype.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { isRecord, parseRecord } from './json.ts';
import { refusePickle } from './pickle.ts';

/**
 * A tensor to be written as F32; `write` fills exactly the product of `shape` values, row-major.
 */
export interface TensorSource {
  name: string;
  shape: readonly number[];
  write(out: Float32Array): void;
}

/** A tensor inside a file that is being read. `bytes` is a view of the file. */
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
 * The format allows 100 MB; a model of 48 layers has a header of 0.1 MB, and JSON grows several
 * times when parsed.
 */
const MAX_HEADER = 4 * 2 ** 20;
const MAX_RANK = 8;

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/**
 * One safetensors file with the metadata that transformers asks for. Throws `too_large` where no
 * memory is left.
 */
export function writeSafetensors(
  tensors: readonly TensorSource[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  let end = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt', ...metadata } };
  const ranges = tensors.map((t) => {
    const start = end;
    end += 4 * product(t.shape);
    header[t.name] = { dtype: 'F32', shape: t.shape, data_offsets: [start, end] };
    return start;
  });
  const json = new TextEncoder().encode(JSON.stringify(header));
  const base = 8 + Math.ceil(json.length / 8) * 8;
  const file = allocate(base + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(base - 8), true);
  file.fill(0x20, 8, base);
  file.set(json, 8);
  tensors.forEach((t, i) =>
    t.write(new Float32Array(file.buffer, base + (ranges[i] ?? 0), product(t.shape))),
  );
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
 * Reads the header and checks it against the file: every byte belongs to exactly one tensor. Throws
 * `truncated`, `bad_header`, `bad_json`, `bad_dtype`, `bad_shape`, `bad_offsets`, `duplicate_name`,
 * `forbidden_name`, `too_large` or `pickle`.
 */
export function readSafetensors(bytes: Uint8Array, file = 'model.safetensors'): SafetensorsFile {
  refusePickle(bytes, file);
  if (bytes.length < 10) throw damaged('truncated', file, `it has only ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8))
    throw damaged('truncated', file, 'its header is longer than the file');
  if (length > MAX_HEADER)
    throw damaged(
      'too_large',
      file,
      `its header has ${length} bytes, and at most ${MAX_HEADER} are read`,
    );
  const base = 8 + Number(length);
  if (bytes[8] !== 0x7b) throw damaged('bad_header', file, 'its header is not a JSON object');
  const header = parseRecord(bytes.subarray(8, base), file);
  const data = bytes.subarray(base);
  const tensors = new Map<string, TensorView>();
  const ranges: Range[] = [];
  let metadata = new Map<string, string>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') metadata = readMetadata(entry, file);
    else {
      const { dtype, shape, start, end } = readEntry(name, entry, file);
      ranges.push({ name, start, end });
      tensors.set(name, { name, file, dtype, shape, bytes: data.subarray(start, end) });
    }
  }
  checkRanges(ranges, data.length, file);
  return { metadata, tensors };
}

/** The values of a tensor as float32, in memory of their own. Throws `bad_dtype`. */
export const readTensor = (view: TensorView): Float32Array =>
  toFloat32(view.dtype, view.bytes, view.name, view.file);

interface Range {
  name: string;
  start: number;
  end: number;
}

function readMetadata(entry: unknown, file: string): Map<string, string> {
  if (!isRecord(entry)) throw damaged('bad_header', file, 'its __metadata__ is not an object');
  return new Map(
    Object.entries(entry).map(([key, value]) => {
      if (typeof value !== 'string')
        throw damaged('bad_header', file, 'its __metadata__ holds something other than text');
      return [key, value];
    }),
  );
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
  if (!isDtype(dtype))
    throw damaged('bad_dtype', file, `${label} has a number format that is not known`);
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount))
    throw damaged('bad_shape', file, `${label} has a shape that no tensor can have`);
  if (!Array.isArray(data_offsets) || data_offsets.length !== 2 || !data_offsets.every(isCount))
    throw damaged('bad_offsets', file, `${label} does not say where its data lies`);
  const [start = 0, end = 0] = data_offsets;
  // A product beyond 2^53 is not exact, but then it is not equal to the length of any file either.
  if (product(shape) * DTYPE_BYTES[dtype] !== end - start)
    throw damaged(
      'bad_shape',
      file,
      `${label} has the shape [${shorten(shape.join(', '))}], which does not fit its ${end - start} bytes`,
    );
  return { dtype, shape, start, end };
}

/**
 * The format forbids gaps and overlaps: sorted by start, each range begins where the last one
 * ended.
 */
function checkRanges(ranges: Range[], length: number, file: string): void {
  ranges.sort((a, b) => a.start - b.start || a.end - b.end);
  let at = 0;
  for (const { name, start, end } of ranges) {
    if (end > length)
      throw damaged('truncated', file, `${shorten(name)} ends beyond the end of the file`);
    if (start < at) throw damaged('bad_offsets', file, `${shorten(name)} overlaps another tensor`);
    if (start > at)
      throw damaged(
        'bad_offsets',
        file,
        `there is a gap of ${start - at} bytes before ${shorten(name)}`,
      );
    at = end;
  }
  if (at !== length)
    throw damaged('bad_offsets', file, `${length - at} bytes at its end belong to no tensor`);
}
