/**
 * Maps weights between our parameters and the tensors of a Hugging Face checkpoint. Ours store linear
 * weights as [in, out] and pack q/k/v and gate/up side by side (model/parameters.ts).
 */
import type { ResolvedModel } from '../config/index.ts';
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

/** Calls `visit(index in the parameter, index in the part)` for all values of a part. */
export function forEachValue(
  parameter: Parameter,
  part: ParameterPart,
  visit: (ours: number, theirs: number) => void,
): void {
  const rows = rowsOf(parameter);
  const columns = columnsOf(parameter);
  const width = part.end - part.start;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < width; column++) {
      const theirs = part.transpose ? column * rows + row : row * width + column;
      visit(row * columns + part.start + column, theirs);
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
  forEachValue(parameter, part, (ours, theirs) => {
    out[theirs] = data[ours] ?? 0;
  });
}

/** Biases that GPT-2 has in transformers but not in this model. */
function zeroBiases(model: ResolvedModel): Parameter[] {
  if (model.layout !== 'gpt2' || model.bias) return [];
  const ours = new Set(listParameters(model).map(({ name }) => name));
  return listParameters({ ...model, bias: true }).filter(({ name }) => !ours.has(name));
}

/**
 * Returns our parameters from the tensors of a checkpoint, whose names may have or lack the prefix
 * `transformer.` or `model.`. Checks all shapes before it allocates anything. Throws
 * `missing_tensor`, `unexpected_tensor`, `shape_mismatch`, `duplicate_name`, `config_mismatch`,
 * `bad_dtype` or `not_finite`.
 */
export function importTensors(
  model: ResolvedModel,
  tensors: Iterable<TensorView>,
): Map<string, Float32Array> {
  const named = withoutPrefixes(tensors);
  const parameters = listParameters(model);
  for (const parameter of parameters) checkShapes(parameter, named);
  const weights = new Map<string, Float32Array>();
  for (const parameter of parameters) {
    const values = importParameter(parameter, named);
    if (!allFinite(values)) throw notFinite(parameter.name);
    weights.set(parameter.name, values);
  }
  checkZeroBiases(model, named);
  checkTiedHead(model, named, weights);
  checkAllUsed(model, named);
  return weights;
}

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
    forEachValue(parameter, part, (ours, theirs) => {
      weights[ours] = data[theirs] ?? 0;
    });
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
function checkTiedHead(model: ResolvedModel, named: NamedTensors, weights: Weights): void {
  const head = named.get(HEAD);
  if (!model.tie_word_embeddings || !head) return;
  const embedding = weights.get(
    model.layout === 'gpt2' ? 'transformer.wte.weight' : 'model.embed_tokens.weight',
  );
  const values = readTensor(head);
  const equal =
    embedding?.length === values.length && values.every((x, i) => Object.is(x, embedding[i]));
  if (equal) return;
  throw new CheckpointError(
    'config_mismatch',
    'config.json says that the head is tied to the embedding, but the two differ.',
    'Set tie_word_embeddings to false in config.json.',
  );
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
