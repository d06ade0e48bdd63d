/**
 * The few tfjs kernels that run on the engine on the processor: what Muon, SGD without momentum and
 * losses of objectives compute in tfjs ops. They call `assembly/plain.ts`, so that programs trace
 * and replay them. An op that is missing here fails with tfjs's error, which names it.
 */
import { type KernelConfig, type Tensor, util } from '@tensorflow/tfjs-core';
import { rowsAndSteps } from './broadcasting.ts';
import { copyInPlace } from './dispatch.ts';
import type { Param } from './dispatch_types.ts';
import { runOnProcessor } from './processor_dispatch.ts';
import {
  type DType,
  input,
  type Inputs,
  integers,
  newTensor,
  numbersOf,
  type Run,
  unsupported,
} from './processor_kernel.ts';
import { PROCESSOR } from './processor_memory.ts';
import { concat, gather, slice, stack } from './processor_pieces.ts';

/** Operations of one tensor, in the order of `plain_unary`. */
const UNARY = ['Neg', 'Square', 'Sqrt', 'Rsqrt', 'Exp', 'Sigmoid', 'Step', 'IsFinite'] as const;
const TO_FLOAT = 8;
const TO_INTEGER = 9;
const TO_BOOL = 10;

/** Operations of two tensors, in the order of `plain_binary`. */
const BINARY = [
  ...['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum'],
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'],
] as const;
/** Results are bools from this index on. */
const FIRST_COMPARISON = 6;
const MAXIMUM = 4;

/** Values of a partial sum: a large sum takes two commands, so that threads share the first. */
const PART = 8192;

function unary(x: Tensor, operation: number, dtype: DType): Tensor {
  const y = newTensor(x.shape, dtype);
  const params = integers(x.size, operation);
  runOnProcessor({ kernel: 'plain_unary', writes: [y], reads: [x], params });
  return y;
}

function binary(a: Tensor, b: Tensor, operation: number): Tensor {
  const name = BINARY[operation] ?? '';
  const onIntegers = a.dtype !== 'float32';
  if (onIntegers !== (b.dtype !== 'float32') || (onIntegers && name === 'RealDiv'))
    unsupported(name, `${a.dtype} with ${b.dtype}`);
  const { shape, rows, width, steps } = rowsAndSteps(name, a.shape, b.shape);
  const y = newTensor(shape, operation < FIRST_COMPARISON ? a.dtype : 'bool');
  const params = integers(rows, width, operation, onIntegers ? 1 : 0, ...steps);
  runOnProcessor({ kernel: 'plain_binary', writes: [y], reads: [a, b], params });
  return y;
}

/** Sums over the last axes, or over all axes. */
const sum: Run = (inputs, { axis, keepDims }) => {
  const x = input(inputs, 'x');
  const axes = util.parseAxisParam(numbersOf(axis ?? x.shape.map((_, i) => i)), x.shape);
  const kept = x.rank - axes.length;
  if (x.dtype !== 'float32') unsupported('Sum', x.dtype);
  if (axes.some((one) => one < kept)) unsupported('Sum', `the axes ${axes.join(', ')}`);
  const outer = x.shape.slice(0, kept);
  const y = newTensor([...outer, ...(keepDims === true ? axes.map(() => 1) : [])], 'float32');
  const rows = util.sizeFromShape(outer);
  if (rows === 1 && x.size > PART) {
    const parts = newTensor([Math.ceil(x.size / PART)], 'float32');
    sumRows(parts, x, PART);
    sumRows(y, parts, parts.size);
    parts.dispose();
  } else sumRows(y, x, x.size / rows);
  return y;
};

/** y [rows]: sums of `width` neighbouring values of x each; the last sum may have fewer. */
function sumRows(y: Tensor, x: Tensor, width: number): void {
  const params = integers(y.size, width, x.size);
  runOnProcessor({ kernel: 'plain_sum', writes: [y], reads: [x], params });
}

const matMul: Run = (inputs, { transposeA, transposeB }) => {
  const a = input(inputs, 'a');
  const b = input(inputs, 'b');
  const [a0 = 0, a1 = 0] = a.shape;
  const [b0 = 0, b1 = 0] = b.shape;
  if (a.rank !== 2 || b.rank !== 2) unsupported('BatchMatMul', 'batches of matrices');
  const [M, K] = transposeA === true ? [a1, a0] : [a0, a1];
  const [N, inner] = transposeB === true ? [b0, b1] : [b1, b0];
  if (inner !== K) unsupported('BatchMatMul', `${a.shape.join(' x ')} by ${b.shape.join(' x ')}`);
  const y = newTensor([M, N], 'float32');
  const noEpilogue = [undefined, undefined, undefined];
  const params = integers(M, N, K, transposeA === true ? 1 : 0, transposeB === true ? 1 : 0, 0);
  runOnProcessor({ kernel: 'matmul', writes: [y], reads: [a, b, ...noEpilogue], params });
  return y;
};

const transpose: Run = (inputs, { perm }) => {
  const x = input(inputs, 'x');
  const [rows = 0, columns = 0] = x.shape;
  const order = numbersOf(perm).join(', ');
  if (x.rank !== 2 || order !== '1, 0') unsupported('Transpose', `the order ${order}`);
  const y = newTensor([columns, rows], x.dtype);
  const params = integers(rows, columns);
  runOnProcessor({ kernel: 'plain_transpose', writes: [y], reads: [x], params });
  return y;
};

const select: Run = (inputs) => {
  const reads = ['condition', 't', 'e'].map((name) => input(inputs, name));
  const [, t] = reads;
  if (!t || reads.some(({ size }) => size !== t.size)) unsupported('Select', 'broadcasting');
  const y = newTensor(t.shape, t.dtype);
  runOnProcessor({ kernel: 'plain_select', writes: [y], reads, params: integers(t.size) });
  return y;
};

/** Repeats one value: the maximum of the value with itself, whatever its type, as bits. */
const tile: Run = (inputs, { reps }) => {
  const x = input(inputs, 'x');
  const times = numbersOf(reps);
  if (x.size !== 1) unsupported('Tile', 'more than one value');
  const y = newTensor(times, x.dtype);
  const params = integers(1, y.size, MAXIMUM, 1, 0, 0, 0, 0);
  runOnProcessor({ kernel: 'plain_binary', writes: [y], reads: [x, x], params });
  return y;
};

const cast: Run = (inputs, { dtype }) => {
  const x = input(inputs, 'x');
  if (dtype === 'float32' && x.dtype !== 'float32') return unary(x, TO_FLOAT, 'float32');
  if (dtype === 'int32' && x.dtype === 'float32') return unary(x, TO_INTEGER, 'int32');
  if (dtype === 'bool' && x.dtype === 'float32') return unary(x, TO_BOOL, 'bool');
  if (dtype === 'bool' && x.dtype === 'int32') unsupported('Cast', 'int32 to bool');
  const y = newTensor(x.shape, dtype === 'int32' ? 'int32' : x.dtype);
  copyInPlace(y, x);
  return y;
};

function filled(shape: readonly number[], dtype: string, value: number): Tensor {
  const y = newTensor(shape, dtype);
  const bits: Param = dtype === 'float32' ? ['f32', value] : ['i32', value];
  const params = [...integers(y.size), bits];
  runOnProcessor({ kernel: 'fill_in_place', writes: [y], reads: [], params });
  return y;
}

function filledLike(inputs: Inputs, value: number): Tensor {
  const { shape, dtype } = input(inputs, 'x');
  return filled(shape, dtype, value);
}

const fill: Run = (_inputs, { shape, dtype, value }) =>
  filled(numbersOf(shape), dtype === 'int32' ? 'int32' : 'float32', Number(value));

const RUNS: Record<string, Run> = {
  Sum: sum,
  BatchMatMul: matMul,
  Transpose: transpose,
  Slice: slice,
  Concat: concat,
  Pack: stack,
  GatherV2: gather,
  Select: select,
  Tile: tile,
  Cast: cast,
  Fill: fill,
  ZerosLike: (inputs) => filledLike(inputs, 0),
  OnesLike: (inputs) => filledLike(inputs, 1),
};
UNARY.forEach((name, operation) => {
  RUNS[name] = (inputs, { alpha }) => {
    if (name === 'Step' && Number(alpha ?? 0) !== 0) unsupported(name, 'a slope');
    return unary(input(inputs, 'x'), operation, name === 'IsFinite' ? 'bool' : 'float32');
  };
});
BINARY.forEach((name, operation) => {
  RUNS[name] = (inputs) => binary(input(inputs, 'a'), input(inputs, 'b'), operation);
});

export const PLAIN_KERNELS: readonly KernelConfig[] = Object.entries(RUNS).map(
  ([kernelName, run]): KernelConfig => ({
    kernelName,
    backendName: PROCESSOR,
    kernelFunc: ({ inputs, attrs }) => run(inputs, attrs ?? {}),
  }),
);
