/** Slice, Concat, Pack and GatherV2 on the engine: tfjs kernels that copy parts of tensors. */
import { slice_util, type Tensor, util } from '@tensorflow/tfjs-core';
import { runOnProcessor } from './processor_dispatch.ts';
import {
  input,
  type Inputs,
  integers,
  newTensor,
  numbersOf,
  type Run,
  unsupported,
} from './processor_kernel.ts';

/** `count` pieces of `width` values: index of the first value, and the step from piece to piece. */
interface Pieces {
  count: number;
  width: number;
  to: number;
  toStep: number;
  from: number;
  fromStep: number;
}

/**
 * Copies pieces of x to y. `isFirst`: no earlier command has written y, so the planner may give it
 * memory here.
 */
function copyPieces(y: Tensor, x: Tensor, pieces: Pieces, isFirst = true): void {
  const { count, width, to, toStep, from, fromStep } = pieces;
  const params = integers(count, width, to, toStep, from, fromStep);
  const [writes, updates] = isFirst ? [[y], []] : [[], [y]];
  runOnProcessor({ kernel: 'plain_copy', writes, updates, reads: [x], params });
}

const sizeBefore = ({ shape }: Tensor, axis: number): number =>
  util.sizeFromShape(shape.slice(0, axis));
const sizeFrom = ({ shape }: Tensor, axis: number): number => util.sizeFromShape(shape.slice(axis));

/** A range of one axis; other axes are kept whole. */
export const slice: Run = (inputs, { begin, size }) => {
  const x = input(inputs, 'x');
  const [begins = [], sizes = []] = slice_util.parseSliceParams(
    x,
    numbersOf(begin),
    numbersOf(size),
  );
  const cuts = x.shape.flatMap((length, axis) => (sizes[axis] === length ? [] : [axis]));
  if (cuts.length > 1) unsupported('Slice', 'a cut of more than one axis');
  const [axis = 0] = cuts;
  const y = newTensor(sizes, x.dtype);
  const inner = sizeFrom(x, axis + 1);
  const width = (sizes[axis] ?? 1) * inner;
  const from = (begins[axis] ?? 0) * inner;
  const count = sizeBefore(x, axis);
  copyPieces(y, x, { count, width, to: 0, toStep: width, from, fromStep: sizeFrom(x, axis) });
  return y;
};

/** Joins tensors whose shapes are equal except along `axis`. */
function join(tensors: readonly Tensor[], axis: number, shape: readonly number[]): Tensor {
  const [first] = tensors;
  if (!first) throw new TypeError('There is nothing to concatenate.');
  const y = newTensor(shape, first.dtype);
  const toStep = tensors.reduce((total, tensor) => total + sizeFrom(tensor, axis), 0);
  let to = 0;
  for (const tensor of tensors) {
    const width = sizeFrom(tensor, axis);
    const pieces = { count: sizeBefore(first, axis), width, to, toStep, from: 0, fromStep: width };
    copyPieces(y, tensor, pieces, tensor === first && to === 0);
    to += width;
  }
  return y;
}

export const concat: Run = (inputs, attrs) => {
  const tensors = listOf(inputs);
  const [first] = tensors;
  const [axis = 0] = util.parseAxisParam(Number(attrs.axis), first?.shape ?? []);
  const length = tensors.reduce((total, { shape }) => total + (shape[axis] ?? 0), 0);
  return join(tensors, axis, first?.shape.map((n, i) => (i === axis ? length : n)) ?? []);
};

export const stack: Run = (inputs, attrs) => {
  const tensors = listOf(inputs);
  const shape = [...(tensors[0]?.shape ?? [])];
  const axis = Number(attrs.axis);
  shape.splice(axis, 0, tensors.length);
  return join(tensors, axis, shape);
};

/** Rows of x, by index. */
export const gather: Run = (inputs, { axis, batchDims }) => {
  const x = input(inputs, 'x');
  const indices = input(inputs, 'indices');
  if (Number(axis ?? 0) !== 0 || Number(batchDims ?? 0) !== 0) unsupported('GatherV2', 'an axis');
  const [rows = 0, ...rest] = x.shape;
  const y = newTensor([...indices.shape, ...rest], x.dtype);
  const params = integers(indices.size, sizeFrom(x, 1), rows);
  runOnProcessor({ kernel: 'plain_gather', writes: [y], reads: [x, indices], params });
  return y;
};

function listOf(inputs: Inputs): Tensor[] {
  return Object.keys(inputs).map((name) => input(inputs, name));
}
