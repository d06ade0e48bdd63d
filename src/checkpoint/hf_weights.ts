/**
 * Weights between our parameters (model/parameters.ts: linear weights [in, out], q/k/v and gate/up
 * packed side by side) and the tensors of a Hugging Face checkpoint.
 */
import type { ResolvedModel } from '../config/index.ts';
import {
  listParameters,
  parameterSize,
  type Parameter,
  type ParameterPart,
} from '../model/parameters.ts';
import { CheckpointError, shorten } from './error.ts';
import { readTensor, type TensorSource, type TensorView } from './safetensors.ts';

/** Masks and tables that transformers keeps beside the weights of GPT-2 and Llama. */
const BUFFERS = /(^|\.)(attn\.(bias|masked_bias)|rotary_emb\.inv_freq)$/;
const PREFIX = /^(transformer|model)\./;

const rowsOf = (p: Parameter) => (p.shape.length === 1 ? 1 : (p.shape[0] ?? 0));
const columnsOf = (p: Parameter) => p.shape.at(-1) ?? 0;

/** Lies in the file as it lies here. */
const isWhole = ({ parts }: Parameter) => parts.length === 1 && parts[0]?.transpose === false;

/** Shape of a part as transformers has it. */
function partShape(p: Parameter, part: ParameterPart): number[] {
  const width = part.end - part.start;
  if (p.shape.length === 1) return [width];
  return part.transpose ? [width, rowsOf(p)] : [rowsOf(p), width];
}

/** Calls `each(index in the parameter, index in the part)` for all values of a part. */
function eachValue(
  p: Parameter,
  part: ParameterPart,
  each: (ours: number, theirs: number) => void,
): void {
  const rows = rowsOf(p);
  const columns = columnsOf(p);
  const width = part.end - part.start;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < width; c++)
      each(r * columns + part.start + c, part.transpose ? c * rows + r : r * width + c);
  }
}

/** The values of one parameter, checked. Throws `missing_tensor` or `shape_mismatch`. */
export function valuesOf(
  p: Parameter,
  values: ReadonlyMap<string, Float32Array>,
  key = p.name,
): Float32Array {
  const data = values.get(key);
  if (!data) throw missing(key);
  if (data.length !== parameterSize(p))
    throw mismatch(key, `${data.length} values`, `${parameterSize(p)}`);
  return data;
}

/**
 * What model.safetensors holds. A GPT-2 without biases gets biases of zero. Throws `missing_tensor`
 * or `shape_mismatch`.
 */
export function exportTensors(
  model: ResolvedModel,
  parameters: ReadonlyMap<string, Float32Array>,
): TensorSource[] {
  const sources: TensorSource[] = [];
  for (const p of listParameters(model)) {
    const data = valuesOf(p, parameters);
    for (const part of p.parts) {
      const write = isWhole(p)
        ? (out: Float32Array) => out.set(data)
        : (out: Float32Array) =>
            eachValue(p, part, (ours, theirs) => {
              out[theirs] = data[ours] ?? 0;
            });
      sources.push({ name: part.name, shape: partShape(p, part), write });
    }
  }
  for (const p of zeroBiases(model))
    sources.push({ name: p.name, shape: p.shape, write: () => undefined });
  return sources;
}

/** Biases that GPT-2 in transformers has and this model has not. */
function zeroBiases(model: ResolvedModel): Parameter[] {
  if (model.layout !== 'gpt2' || model.bias) return [];
  const ours = new Set(listParameters(model).map((p) => p.name));
  return listParameters({ ...model, bias: true }).filter((p) => !ours.has(p.name));
}

/**
 * Our parameters from the tensors of a checkpoint, whose names may lack or have `transformer.` or
 * `model.` in front. Shapes are checked before anything is allocated. Throws `missing_tensor`,
 * `unexpected_tensor`, `shape_mismatch`, `duplicate_name` or `bad_dtype`.
 */
export function importTensors(
  model: ResolvedModel,
  tensors: Iterable<TensorView>,
): Map<string, Float32Array> {
  const named = byBareName(tensors);
  const parameters = listParameters(model);
  for (const p of parameters) {
    for (const part of p.parts) {
      const view = take(named, part.name);
      const shape = partShape(p, part);
      if (view.shape.join() !== shape.join())
        throw mismatch(part.name, `the shape [${view.shape.join(', ')}]`, `[${shape.join(', ')}]`);
    }
  }
  const out = new Map<string, Float32Array>();
  for (const p of parameters) out.set(p.name, importParameter(p, named));
  const used = new Set(parameters.flatMap((p) => p.parts.map((part) => bare(part.name))));
  checkZeros(zeroBiases(model), named, used);
  checkTiedHead(model, named, out, used);
  for (const [name, view] of named) {
    if (!used.has(name)) {
      throw new CheckpointError(
        'unexpected_tensor',
        `${shorten(view.file)} holds weights that this kind of model does not have: ${shorten(view.name)}.`,
        'Check that config.json belongs to these weights.',
      );
    }
  }
  return out;
}

const bare = (name: string) => name.replace(PREFIX, '');

function byBareName(tensors: Iterable<TensorView>): Map<string, TensorView> {
  const named = new Map<string, TensorView>();
  for (const view of tensors) {
    if (BUFFERS.test(view.name)) continue;
    const name = bare(view.name);
    if (named.has(name))
      throw new CheckpointError(
        'duplicate_name',
        `The weights ${shorten(view.name)} stand in this checkpoint twice.`,
        'Get the folder from its author again.',
      );
    named.set(name, view);
  }
  return named;
}

function take(named: ReadonlyMap<string, TensorView>, name: string): TensorView {
  const view = named.get(bare(name));
  if (!view) throw missing(name);
  return view;
}

function importParameter(p: Parameter, named: ReadonlyMap<string, TensorView>): Float32Array {
  const [first] = p.parts;
  if (first && isWhole(p)) return readTensor(take(named, first.name));
  const out = new Float32Array(parameterSize(p));
  for (const part of p.parts) {
    const data = readTensor(take(named, part.name));
    eachValue(p, part, (ours, theirs) => {
      out[ours] = data[theirs] ?? 0;
    });
  }
  return out;
}

/** A model without biases can only be read from a file whose biases are zero. */
function checkZeros(
  biases: readonly Parameter[],
  named: ReadonlyMap<string, TensorView>,
  used: Set<string>,
): void {
  for (const p of biases) {
    const view = named.get(bare(p.name));
    used.add(bare(p.name));
    if (view && readTensor(view).some((x) => x !== 0)) {
      throw new CheckpointError(
        'config_mismatch',
        `The model was saved without biases, but ${shorten(p.name)} is not zero.`,
        'The weights were changed after saving: leave training_state.json out, and import the folder as a new model.',
      );
    }
  }
}

/** Some writers store the tied head a second time: it must then be the embedding. */
function checkTiedHead(
  model: ResolvedModel,
  named: ReadonlyMap<string, TensorView>,
  out: ReadonlyMap<string, Float32Array>,
  used: Set<string>,
): void {
  const head = named.get('lm_head.weight');
  if (!model.tie_word_embeddings || !head) return;
  used.add('lm_head.weight');
  const embedding = out.get(
    model.layout === 'gpt2' ? 'transformer.wte.weight' : 'model.embed_tokens.weight',
  );
  const values = readTensor(head);
  if (embedding?.length !== values.length || values.some((x, i) => !Object.is(x, embedding[i]))) {
    throw new CheckpointError(
      'config_mismatch',
      'config.json says that the head is tied to the embedding, but the two differ.',
      'Set tie_word_embeddings to false in config.json.',
    );
  }
}

const missing = (name: string) =>
  new CheckpointError(
    'missing_tensor',
    `The weights ${shorten(name)} are missing.`,
    'Bring all files of the folder, and check that config.json belongs to these weights.',
  );
const mismatch = (name: string, is: string, should: string) =>
  new CheckpointError(
    'shape_mismatch',
    `The weights ${shorten(name)} have ${is}, and the model needs ${should}.`,
    'Check that config.json belongs to these weights.',
  );
