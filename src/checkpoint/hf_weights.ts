/**
 * Maps weights between our parameters and the tensors of a Hugging Face checkpoint. Ours store linear
 * weights as [in, out] and pack q/k/v and gate/up side by side (model/parameters.ts).
 */
import { LazyMap } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { embeddingName } from '../model/layout.ts';
import { listParameters, type Parameter, type ParameterPart } from '../model/parameters.ts';
import { allFinite } from './dtype.ts';
import { CheckpointError, shorten } from './error.ts';
import { readTensor, type TensorSource, type TensorView } from './safetensors.ts';

type Weights = ReadonlyMap<string, Float32Array>;
/** Tensors by name without prefix. */
type NamedTensors = ReadonlyMap<string, TensorView>;

/** Masks and tables that transformers stores beside the weights of GPT-2 and Llama. */
const BUFFERS = /(^|\.)(attn\.(bias|masked_bias)|rotary_emb\.inv_freq)$/;
const PREFIX = /^(transformer|model)\./;
const HEAD = 'lm_head.weight';

const withoutPrefix = (name: string) => name.replace(PREFIX, '');
const sizeOf = (shape: readonly number[]) => shape.reduce((product, n) => product * n, 1);
const rowsOf = ({ shape }: Parameter) => (shape.length === 1 ? 1 : (shape[0] ?? 0));
const columnsOf = ({ shape }: Parameter) => shape.at(-1) ?? 0;

/** True if the tensor has the same layout in both formats. */
const isWhole = ({ parts }: Parameter) => parts.length === 1 && parts[0]?.transpose === false;

/** Shape of a part in transformers. */
export function partShape(parameter: Parameter, part: ParameterPart): number[] {
  const width = part.end - part.start;
  if (parameter.shape.length === 1) return [width];
  const rows = rowsOf(parameter);
  return part.transpose ? [width, rows] : [rows, width];
}

/** Rows and columns that are copied together, so that a transposition stays in the cache. */
const BLOCK = 64;

export interface PartCopy {
  parameter: Parameter;
  part: ParameterPart;
  /** Whether a part of transformers is copied into our parameter, or the other way around. */
  into: 'ours' | 'theirs';
}

/** Copies the values of a part between the two layouts. */
export function copyPart(source: Float32Array, target: Float32Array, copy: PartCopy): void {
  const { parameter, part } = copy;
  const rows = rowsOf(parameter);
  const width = part.end - part.start;
  for (let row = 0; row < rows; row += BLOCK) {
    for (let column = 0; column < width; column += BLOCK) {
      const rowEnd = Math.min(rows, row + BLOCK);
      const columnEnd = Math.min(width, column + BLOCK);
      copyBlock(source, target, { ...copy, row, column, rowEnd, columnEnd });
    }
  }
}

interface BlockCopy extends PartCopy {
  row: number;
  column: number;
  rowEnd: number;
  columnEnd: number;
}

function copyBlock(source: Float32Array, target: Float32Array, block: BlockCopy): void {
  const { parameter, part, into, row: firstRow, column: firstColumn, rowEnd, columnEnd } = block;
  const columns = columnsOf(parameter);
  const width = part.end - part.start;
  const rowStride = part.transpose ? 1 : width;
  const columnStride = part.transpose ? rowsOf(parameter) : 1;
  for (let row = firstRow; row < rowEnd; row++) {
    for (let column = firstColumn; column < columnEnd; column++) {
      const ours = row * columns + part.start + column;
      const theirs = row * rowStride + column * columnStride;
      if (into === 'ours') target[ours] = source[theirs] ?? 0;
      else target[theirs] = source[ours] ?? 0;
    }
  }
}

/** Returns the values of tensor `name`. Throws `missing_tensor` or `shape_mismatch`. */
export function valuesOf(values: Weights, name: string, shape: readonly number[]): Float32Array {
  const data = values.get(name);
  if (!data) throw missing(name);
  const size = sizeOf(shape);
  if (data.length !== size) throw mismatch(name, `${data.length} values`, `${size}`);
  return data;
}

/**
 * Returns the tensors of model.safetensors. A GPT-2 without biases gets biases of zero, because
 * transformers has no GPT-2 without them. Throws `missing_tensor` or `shape_mismatch`.
 */
export function exportTensors(model: ResolvedModel, parameters: Weights): TensorSource[] {
  const sources: TensorSource[] = [];
  for (const parameter of listParameters(model)) {
    const data = valuesOf(parameters, parameter.name, parameter.shape);
    for (const part of parameter.parts) {
      const write = (out: Float32Array): void => writePart(out, parameter, part, data);
      sources.push({ name: part.name, shape: partShape(parameter, part), write });
    }
  }
  for (const { name, shape } of zeroBiases(model)) {
    sources.push({ name, shape, write: () => undefined });
  }
  return sources;
}

function writePart(
  out: Float32Array,
  parameter: Parameter,
  part: ParameterPart,
  data: Float32Array,
): void {
  if (isWhole(parameter)) {
    out.set(data);
    return;
  }
  copyPart(data, out, { parameter, part, into: 'theirs' });
}

/** Biases that GPT-2 has in transformers but not in this model. */
function zeroBiases(model: ResolvedModel): Parameter[] {
  if (model.layout !== 'gpt2' || model.bias) return [];
  const ours = new Set(listParameters(model).map(({ name }) => name));
  return listParameters({ ...model, bias: true }).filter(({ name }) => !ours.has(name));
}

/**
 * Returns our parameters from the tensors of a checkpoint, whose names may have or lack the prefix
 * `transformer.` or `model.`. In a model of more than `most_bytes`, each is decoded when it is read, so
 * that the whole is never in memory twice. All checks are made before. Throws `missing_tensor`, `unexpected_tensor`,
 * `shape_mismatch`, `duplicate_name`, `config_mismatch`, `bad_dtype` or `not_finite`.
 */
export function importTensors(
  model: ResolvedModel,
  tensors: Iterable<TensorView>,
  most_bytes = MOST_BYTES,
): Weights {
  const named = withoutPrefixes(tensors);
  const parameters = new Map(listParameters(model).map((one) => [one.name, one]));
  for (const parameter of parameters.values()) checkShapes(parameter, named);
  for (const { name, parts } of parameters.values()) {
    for (const part of parts) {
      if (!allFinite(requireTensor(named, part.name))) throw notFinite(name);
    }
  }
  checkZeroBiases(model, named);
  checkTiedHead(model, named);
  checkAllUsed(model, named);
  const lazy = new LazyMap(parameters.keys(), (name) => {
    const parameter = parameters.get(name);
    if (!parameter) throw missing(name);
    return importParameter(parameter, named);
  });
  const bytes = [...named.values()].reduce((sum, view) => sum + view.bytes.length, 0);
  return bytes > most_bytes ? lazy : new Map(lazy);
}

/** Models of more bytes than this are decoded tensor by tensor. */
const MOST_BYTES = 2 ** 26;

function withoutPrefixes(tensors: Iterable<TensorView>): Map<string, TensorView> {
  const named = new Map<string, TensorView>();
  for (const view of tensors) {
    if (BUFFERS.test(view.name)) continue;
    const name = withoutPrefix(view.name);
    if (named.has(name)) {
      throw new CheckpointError(
        'duplicate_name',
        `The weights ${shorten(view.name)} appear twice in this checkpoint.`,
        'Get the folder from its author again.',
      );
    }
    named.set(name, view);
  }
  return named;
}

function requireTensor(named: NamedTensors, name: string): TensorView {
  const view = named.get(withoutPrefix(name));
  if (!view) throw missing(name);
  return view;
}

function checkShapes(parameter: Parameter, named: NamedTensors): void {
  for (const part of parameter.parts) {
    const { shape } = requireTensor(named, part.name);
    const expected = partShape(parameter, part);
    if (shape.join() !== expected.join()) {
      throw mismatch(part.name, `the shape [${shape.join(', ')}]`, `[${expected.join(', ')}]`);
    }
  }
}

function importParameter(parameter: Parameter, named: NamedTensors): Float32Array {
  const [first] = parameter.parts;
  if (first && isWhole(parameter)) return readTensor(requireTensor(named, first.name));
  const weights = new Float32Array(sizeOf(parameter.shape));
  for (const part of parameter.parts) {
    const data = readTensor(requireTensor(named, part.name));
    copyPart(data, weights, { parameter, part, into: 'ours' });
  }
  return weights;
}

/** A model without biases can only be read from a file whose biases are zero. */
function checkZeroBiases(model: ResolvedModel, named: NamedTensors): void {
  for (const { name } of zeroBiases(model)) {
    const view = named.get(withoutPrefix(name));
    if (view && readTensor(view).some((value) => value !== 0)) {
      throw new CheckpointError(
        'config_mismatch',
        `The model was saved without biases, but ${shorten(name)} is not zero.`,
        'The weights were changed after saving. Remove training_state.json to import the folder as a new model.',
      );
    }
  }
}

/** Some writers store the tied head a second time; it must then equal the embedding. */
function checkTiedHead(model: ResolvedModel, named: NamedTensors): void {
  const head = named.get(HEAD);
  if (!model.tie_word_embeddings || !head) return;
  if (sameTensor(head, requireTensor(named, embeddingName(model)))) return;
  throw new CheckpointError(
    'config_mismatch',
    'config.json says that the head is tied to the embedding, but the two differ.',
    'Set tie_word_embeddings to false in config.json.',
  );
}

/** Whether two tensors have the same values, bit for bit. */
function sameTensor(a: TensorView, b: TensorView): boolean {
  if (a.dtype === b.dtype) {
    return a.bytes.length === b.bytes.length && a.bytes.every((byte, i) => byte === b.bytes[i]);
  }
  const others = readTensor(b);
  const values = readTensor(a);
  return values.length === others.length && values.every((x, i) => Object.is(x, others[i]));
}

function checkAllUsed(model: ResolvedModel, named: NamedTensors): void {
  const used = new Set(zeroBiases(model).map(({ name }) => withoutPrefix(name)));
  for (const { parts } of listParameters(model)) {
    for (const { name } of parts) used.add(withoutPrefix(name));
  }
  if (model.tie_word_embeddings) used.add(HEAD);
  for (const [name, view] of named) {
    if (used.has(name)) continue;
    throw new CheckpointError(
      'unexpected_tensor',
      `${shorten(view.file)} has weights that this kind of model does not have: ${shorten(view.name)}.`,
      'Check that config.json belongs to these weights.',
    );
  }
}

/** A model with such weights gives NaN for every text, and every saved copy of it too. */
export const notFinite = (name: string) =>
  new CheckpointError(
    'not_finite',
    `The weights ${shorten(name)} have values that are infinite or not numbers.`,
    'Bring an earlier checkpoint of this model: its training had diverged before this one.',
  );

const missing = (name: string) =>
  new CheckpointError(
    'missing_tensor',
    `The weights ${shorten(name)} are missing.`,
    'Bring all files of the folder, and check that config.json belongs to these weights.',
  );

const mismatch = (name: string, actual: string, expected: string) =>
  new CheckpointError(
    'shape_mismatch',
    `The weights ${shorten(name)} have ${actual}, but the model needs ${expected}.`,
    'Check that config.json belongs to these weights.',
  );
