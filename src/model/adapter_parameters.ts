/**
 * The parameters of LoRA (Hu et al. 2021), named as in PEFT. A linear layer that packs several parts
 * (q, k, v; gate, up) has a pair of matrices per part: the first matrices lie side by side in
 * `lora_A` [in, parts r], the second ones in `lora_B` [r, out].
 */
import type { ResolvedModel } from '../config/index.ts';
import type { PeftConfig } from '../config/stage/index.ts';
import { listParameters, type Parameter, type ParameterPart } from './parameters.ts';

/** Names of adapter tensors begin with this, and end with one of SUFFIXES. */
const PREFIX = 'base_model.model.';
const SUFFIXES = { a: '.lora_A.weight', b: '.lora_B.weight' } as const;

export interface LoraLayer {
  /** The layer's module, such as `model.layers.0.self_attn.qkv_proj`. */
  name: string;
  /** Position among all linear layers of the model, whether they have adapters or not. */
  index: number;
  /** Output features of each part. */
  parts: readonly number[];
  /** lora_A [in, parts r]: Kaiming-uniform with a = sqrt(5), which is uniform within 1 / sqrt(in). */
  a: Parameter;
  /** lora_B [r, out]: zero. */
  b: Parameter;
}

export type LoraShape = Pick<PeftConfig, 'r' | 'target_modules'>;

/** The factor of the update (PEFT's `scaling`). */
export const loraScale = ({ lora_alpha, r }: Pick<PeftConfig, 'lora_alpha' | 'r'>): number =>
  lora_alpha / r;

/** The adapted layers in forward order: linear layers of the blocks, without embeddings and head. */
export function loraLayers(model: ResolvedModel, { r, target_modules }: LoraShape): LoraLayer[] {
  const linear = listParameters(model).filter(({ kind }) => kind === 'matrix');
  return linear
    .map((weight, index) => loraLayer(weight, index, r))
    .filter(({ name }) => target_modules === 'all-linear' || target_modules === moduleOf(name));
}

const moduleOf = (layer: string): 'mlp' | 'attention' =>
  layer.includes('.mlp.') ? 'mlp' : 'attention';

/** All adapter parameters: lora_A and lora_B of each layer. */
export function loraParameters(model: ResolvedModel, shape: LoraShape): Parameter[] {
  return loraLayers(model, shape).flatMap(({ a, b }) => [a, b]);
}

/** Whether a tensor of a run, or of a checkpoint, belongs to an adapter. */
export function isAdapterTensor(name: string): boolean {
  return name.startsWith(PREFIX) && Object.values(SUFFIXES).some((suffix) => name.endsWith(suffix));
}

/** The layer and the matrix that the name of an adapter's tensor says; null for other names. */
export function adapterMatrix(name: string): { layer: string; matrix: 'a' | 'b' } | null {
  if (!isAdapterTensor(name)) return null;
  const matrix = name.endsWith(SUFFIXES.a) ? 'a' : 'b';
  return { layer: name.slice(PREFIX.length, -SUFFIXES[matrix].length), matrix };
}

function loraLayer(weight: Parameter, index: number, r: number): LoraLayer {
  const [inputs = 0, outputs = 0] = weight.shape;
  const name = moduleName(weight.name);
  const columns = r * weight.parts.length;
  const a = weight.parts.map((part, i) => ({ ...part, start: i * r, end: (i + 1) * r }));
  const uniform = { kind: 'uniform', bound: 1 / Math.sqrt(inputs) } as const;
  const zero = { kind: 'constant', value: 0 } as const;
  return {
    name,
    index,
    parts: weight.parts.map(({ start, end }) => end - start),
    a: matrix(name + SUFFIXES.a, [inputs, columns], uniform, named(a, SUFFIXES.a)),
    b: matrix(name + SUFFIXES.b, [r, outputs], zero, named(weight.parts, SUFFIXES.b)),
  };
}

const moduleName = (weight: string): string => weight.replace(/\.weight$/, '');

/** Parts by PEFT's names. PEFT stores [r, in] and [out, r], for GPT-2's Conv1D as well. */
function named(parts: readonly ParameterPart[], suffix: string): ParameterPart[] {
  return parts.map((part) => ({
    ...part,
    name: PREFIX + moduleName(part.name) + suffix,
    transpose: true,
  }));
}

function matrix(
  name: string,
  shape: [number, number],
  init: Parameter['init'],
  parts: readonly ParameterPart[],
): Parameter {
  return { name: PREFIX + name, shape, init, decay: true, kind: 'matrix', parts };
}
