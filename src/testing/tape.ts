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

// tfjs has none for GatherNd; where every index is taken at most once, which is how our references
// use it, it is a scatter.
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

/** Gradients of sum(reference x projection) by the inputs `to`. To be called in a tidy. */
export function tapeGradients<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  to: readonly D[],
  from: readonly O[],
  inputs: Tensors<I>,
  attrs: A,
  dy: Partial<Tensors<O>>,
): Tape<D> {
  const scalar = (...values: Tensor[]): Scalar => {
    const replaced = recordOf(op.inputs, (i) => values[to.findIndex((d) => d === i)] ?? inputs[i]);
    const outputs = op.reference(replaced, attrs);
    const parts = from.flatMap((o) => {
      const p = dy[o];
      return p ? [sum<Scalar>(mul(outputs[o], p))] : [];
    });
    return addN(parts);
  };
  try {
    const all = grads(scalar)(to.map((d) => inputs[d]));
    return {
      gradients: recordOf(to, (d) => {
        const g = all[to.indexOf(d)];
        if (!g) throw new Error(`The tape gave no gradient for ${d}.`);
        return g;
      }),
    };
  } catch (error) {
    const missing = /gradient function not found for (\w+)/.exec(
      error instanceof Error ? error.message : '',
    )?.[1];
    if (missing) return { missing };
    throw error;
  }
}
