/** tfjs's own gradients (its tape) of an operation's reference. */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import {
  addN,
  grads,
  mul,
  registerGradient,
  type Scalar,
  scatterND,
  sum,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { type OpDefinition, recordOf, type Tensors } from '../ops/index.ts';

/**
 * Operations that can't be compared with tfjs's tape: the name of the operation, and the tfjs kernel
 * of its reference that has no gradient. A skipped comparison that is not listed here fails, and so
 * does an entry whose operation has a tape. Write the reason beside an entry.
 */
export const WITHOUT_TAPE: Readonly<Record<string, string>> = {};

// tfjs has no gradient of GatherNd. Our references take every index at most once, so it is a
// scatter.
registerGradient({
  kernelName: 'GatherNd',
  inputsToSave: ['params', 'indices'],
  gradFunc: (dy, [params, indices]) => {
    if (Array.isArray(dy) || !params || !indices) throw new Error('GatherNd saved its inputs.');
    return {
      params: () => scatterND(indices, dy, params.shape),
      indices: () => {
        throw new Error('Indices have no gradient.');
      },
    };
  },
});

/** Gradients, or the tfjs kernel that has none. */
export type Tape<D extends string> = { gradients: Tensors<D> } | { missing: string };

export interface TapeInputs<I extends string, A, O extends string, D extends I> {
  /** Inputs to differentiate with respect to. */
  to: readonly D[];
  /** Outputs to differentiate. */
  from: readonly O[];
  inputs: Tensors<I>;
  attrs: A;
  /** The factors of the outputs. */
  dy: Partial<Tensors<O>>;
}

/** Gradients of sum(output x dy) of the reference. Call it in a tidy. */
export function tapeGradients<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  { to, from, inputs, attrs, dy }: TapeInputs<I, A, O, D>,
): Tape<D> {
  const scalar = (...values: Tensor[]): Scalar => {
    const replaced = recordOf(op.inputs, (name) => {
      const index = to.findIndex((one) => one === name);
      return values[index] ?? inputs[name];
    });
    const outputs = op.reference(replaced, attrs);
    return addN(
      from.flatMap((name) => {
        const factor = dy[name];
        return factor ? [sum<Scalar>(mul(outputs[name], factor))] : [];
      }),
    );
  };
  try {
    const all = grads(scalar)(to.map((name) => inputs[name]));
    return {
      gradients: recordOf(to, (name) => {
        const gradient = all[to.indexOf(name)];
        if (!gradient) throw new Error(`The tape gave no gradient for ${name}.`);
        return gradient;
      }),
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const missing = /gradient function not found for (\w+)/.exec(message)?.[1];
    if (missing) return { missing };
    throw error;
  }
}
