/** The tensors of a matmul kernel, and the epilogue that they imply. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { storageOf } from '../../backend/index.ts';
import type { Activation } from '../activation/functions.ts';
import {
  type Epilogue,
  type Float16Slots,
  type Slot,
  SLOT_NAMES,
  type SlotName,
} from './epilogue.ts';

/** What is done to the result on its way to memory (`Epilogue`), with the tensors that it needs. */
export interface EpilogueOptions {
  /** C to add the result to; by default, a new tensor is written. */
  into?: Tensor;
  /** Bias [N], added to every row. */
  bias?: Tensor;
  /** Residual [M, N], added. */
  residual?: Tensor;
  /** C is the pre-activation; `f` of it is stored in `to` [M, N]. */
  apply?: { f: Activation; to: Tensor };
  /** The result is multiplied by the derivative of `f` at `before` [M, N]. */
  derivative?: { f: Activation; before: Tensor };
  /** The sums of b's columns, [N], are written or added to `to`. Requires that b is not transposed. */
  columns?: { to: Tensor; add: boolean };
}

export type SlotTensors = Partial<Record<SlotName, Tensor>>;

export function epilogueOf(options: EpilogueOptions): Epilogue {
  return {
    accumulate: options.into !== undefined,
    bias: options.bias !== undefined,
    residual: options.residual !== undefined,
    activation: activationOf(options),
    columns: columnsOf(options),
  };
}

function activationOf({ apply, derivative }: EpilogueOptions): Epilogue['activation'] {
  if (apply) return 'apply';
  return derivative ? 'derivative' : 'none';
}

function columnsOf({ columns }: EpilogueOptions): Epilogue['columns'] {
  if (!columns) return 'none';
  return columns.add ? 'add' : 'write';
}

export const epilogueTensors = (options: EpilogueOptions, c: Tensor): SlotTensors => ({
  C: c,
  activated: options.apply?.to,
  columns: options.columns?.to,
  bias: options.bias,
  residual: options.residual,
  before: options.derivative?.before,
});

/** The pipeline constants of an epilogue: which activation it uses, if any. */
export function epilogueConstants(
  { apply, derivative }: EpilogueOptions,
  { activation }: Epilogue,
): Record<string, number> | undefined {
  const f = apply?.f ?? derivative?.f;
  return f && activation !== 'none' ? { ACTIVATION: f.code } : undefined;
}

/** The slots whose tensors are stored as float16. */
export const float16SlotsOf = (tensors: SlotTensors): Float16Slots =>
  new Set(
    SLOT_NAMES.filter((name) => {
      const tensor = tensors[name];
      return tensor !== undefined && storageOf(tensor) === 'float16';
    }),
  );

/** The tensors of the slots by access, as `dispatch` takes them. Throws if one is missing. */
export function bind(
  slots: readonly Slot[],
  tensors: SlotTensors,
): { writes: Tensor[]; updates: Tensor[]; reads: Tensor[] } {
  const tensorsWith = (access: Slot['access']): Tensor[] =>
    slots
      .filter((slot) => slot.access === access)
      .map(({ name }) => {
        const tensor = tensors[name];
        if (!tensor) throw new Error(`The matmul has no tensor for ${name}.`);
        return tensor;
      });
  return {
    writes: tensorsWith('write'),
    updates: tensorsWith('update'),
    reads: tensorsWith('read'),
  };
}
