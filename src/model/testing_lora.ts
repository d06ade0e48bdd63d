/** PEFT's results over the models of golden/ (scripts/make_golden_lora.py), for tests. */
import * as v from 'valibot';
import { ModelSchema, resolveModel, TrainingSchema } from '../config/schema.ts';
import { PeftSchema } from '../config/stage/index.ts';
import { type TinyRun, tinyRun } from '../testing/tiny_run.ts';
import gpt2 from './golden/gpt2.json';
import llama from './golden/llama_qk_norm_window.json';
import loraGpt2 from './golden/lora/gpt2.json';
import loraLlama from './golden/lora/llama_qk_norm_window.json';
import {
  type BatchLike,
  type FrozenStorage,
  loraParameters,
  type Parameter,
  type ParameterPart,
} from './index.ts';

interface LoraCase {
  golden: typeof gpt2;
  lora: typeof loraGpt2;
}

export const LORA_CASES: Record<string, LoraCase> = {
  gpt2: { golden: gpt2, lora: loraGpt2 },
  'llama with qk_norm and a window': { golden: llama, lora: loraLlama },
};

export function floats(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
}

export function loraModel({ golden }: LoraCase) {
  const { vocab_size, ...model } = golden.model;
  return resolveModel(v.parse(ModelSchema, model), vocab_size);
}

export function loraPeft({ lora: { r, lora_alpha } }: LoraCase) {
  return v.parse(PeftSchema, { peft_type: 'lora', r, lora_alpha });
}

interface LoraRunOptions {
  frozen_storage?: FrozenStorage | undefined;
  /** Applied to the values of each parameter of the base. */
  rounded?: (values: Float32Array, name: string) => Float32Array;
}

/** The run of PEFT on the current backend, from the same weights and adapters. */
export function loraRun(one: LoraCase, options: LoraRunOptions = {}): Promise<TinyRun> {
  const { frozen_storage, rounded = (values: Float32Array) => values } = options;
  const { golden } = one;
  const model = loraModel(one);
  const peft = loraPeft(one);
  const initial = new Map(
    golden.parameters.map(({ name, initial }) => [name, rounded(floats(initial), name)]),
  );
  for (const parameter of loraParameters(model, peft)) {
    initial.set(parameter.name, expectedOf(one, parameter, 'initial'));
  }
  return tinyRun({
    model,
    training: v.parse(TrainingSchema, golden.training),
    batch_size: golden.batch_size,
    initial: (name) => initial.get(name) ?? new Float32Array(),
    peft,
    frozen_storage,
  });
}

export function loraBatch({ golden }: LoraCase, step: number): BatchLike {
  const batch = golden.batches[step];
  if (!batch) throw new RangeError(`No batch ${step}.`);
  return {
    ids: Int32Array.from(batch.ids),
    targets: Int32Array.from(batch.targets),
    weights: floats(batch.weights),
    positions: Int32Array.from(batch.ids, (_id, i) => i % golden.model.block_size),
    row_offset: 0,
  };
}

/** What PEFT has of an adapter, packed as ours is. */
export function expectedOf(
  { lora }: LoraCase,
  parameter: Parameter,
  key: 'initial' | 'gradient' | 'final',
): Float32Array {
  const [rows = 0, columns = 0] = parameter.shape;
  const values = new Float32Array(rows * columns);
  for (const part of parameter.parts) {
    const tensor = lora.adapters.find(({ name }) => name === part.name);
    if (!tensor) throw new RangeError(`PEFT has no ${part.name}.`);
    place(values, floats(tensor[key]), { part, rows, columns });
  }
  return values;
}

interface Placement {
  part: ParameterPart;
  rows: number;
  columns: number;
}

/** PEFT stores [r, in] and [out, r]. */
function place(to: Float32Array, from: Float32Array, { part, rows, columns }: Placement): void {
  from.forEach((value, i) => {
    const row = i % rows;
    to[row * columns + part.start + Math.floor(i / rows)] = value;
  });
}
