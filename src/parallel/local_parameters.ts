/** The parameters that one rank holds, and where their values are in those of the whole model. */
import type { Mesh } from '../common/index.ts';
import { type Parameter, parameterSize } from '../model/index.ts';

/** A parameter as a rank holds it: all of it, or a slice under tensor parallelism. */
export interface LocalParameter {
  /** With the shape that it has on this rank. */
  parameter: Parameter;
  /** With the shape that it has in the whole model. */
  whole: Parameter;
  /** Index of `whole` among the parameters of the whole model. */
  index: number;
  /** Slices the values that this rank holds out of those of the whole parameter. */
  take(whole: Float32Array): Float32Array;
  /** Writes the values of this rank's slice into those of the whole parameter. */
  put(into: Float32Array, values: Float32Array): void;
  /**
   * Whether all ranks of tensor parallelism hold the same values. Only the first of them counts these in
   * the norm of the gradients.
   */
  replicated: boolean;
  /** Whether the gradient is the sum of what each rank of tensor parallelism computes. */
  partial_gradient: boolean;
  /**
   * Whether an earlier stage of the pipeline holds the same values, as with a tied embedding on the last
   * stage. Only that stage counts them in the norm and sends them to checkpoints.
   */
  copy: boolean;
}

/** A parameter that every rank of tensor parallelism holds whole. */
export function wholeParameter(whole: Parameter, index: number): LocalParameter {
  return {
    parameter: whole,
    whole,
    index,
    take: (values) => values,
    put: (into, values) => into.set(values),
    replicated: true,
    partial_gradient: false,
    copy: false,
  };
}

/** The parameters of a rank without tensor or pipeline parallelism: all of them. */
export function wholeParameters(parameters: readonly Parameter[]): LocalParameter[] {
  return parameters.map(wholeParameter);
}

/** Number of entries of the table of squared norms: one for each piece of each parameter. */
export function pieceCount(parameters: number, { dp, tp }: Mesh): number {
  return parameters * dp * tp;
}

/** Values of the parameter that this rank holds. */
export const localSize = ({ parameter }: LocalParameter): number => parameterSize(parameter);
