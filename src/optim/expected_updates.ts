/**
 * For the tests: parameters and gradients of a few updates, and what PyTorch's algorithms make of
 * them in float64.
 */
import { defaultConfig, type TrainingConfig } from '../config/index.ts';
import type { OptimizedParameter } from './describe.ts';
import { packedColumns } from './muon.ts';
import * as torch from './torch_oracle.ts';

const parameter = (
  name: string,
  kind: OptimizedParameter['kind'],
  shape: readonly number[],
  cuts: readonly number[] = [],
): OptimizedParameter => {
  const ends = [...cuts, shape.at(-1) ?? 1];
  const parts = ends.map((end, i) => ({ start: ends[i - 1] ?? 0, end }));
  return { name, shape, kind, decay: shape.length > 1, parts };
};

/** Odd sizes, matrices first, as src/model lists them; the head comes after the hidden matrices. */
export const PARAMETERS: readonly OptimizedParameter[] = [
  parameter('wte', 'embedding', [7, 6]),
  parameter('h.attn.c_attn.weight', 'matrix', [6, 18]),
  parameter('gate_up', 'matrix', [6, 20], [10]),
  parameter('down', 'matrix', [10, 6]),
  parameter('lm_head', 'head', [11, 6]),
  parameter('norm', 'norm', [6]),
  parameter('c_attn.bias', 'bias', [18]),
];
export const STEPS = 4;

export const sizeOf = ({ shape }: OptimizedParameter): number => shape.reduce((a, b) => a * b, 1);

const wave = (n: number, phase: number, amplitude: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => amplitude * Math.sin(1.3 * i * i + 2.1 * i + phase));

/** Different for each parameter. */
const phaseOf = (p: OptimizedParameter): number => 10 * PARAMETERS.indexOf(p);

export const initialValue = (p: OptimizedParameter): Float32Array =>
  wave(sizeOf(p), phaseOf(p), 0.8);

/** Over the steps, gradient norms range from far below the limit of clipping to far above it. */
export const gradientAt = (p: OptimizedParameter, step: number): Float32Array =>
  wave(sizeOf(p), phaseOf(p) + 3 * step + 1, [0.5, 0.002, 0.02, 3][step] ?? 1);

export const trainingOf = (changes: Partial<TrainingConfig>): TrainingConfig => ({
  ...defaultConfig().training,
  learning_rate: 0.01,
  weight_decay: 0.1,
  grad_clip: 1,
  ...changes,
});
export const rateAt = (training: TrainingConfig, step: number): number =>
  training.learning_rate * (1 - 0.1 * step);

/** Gradient norms of the updates, and the parameters and moments after them. */
export interface UpdateResult {
  norms: number[];
  values: Map<string, ArrayLike<number>>;
}

interface ExpectedOptions {
  /** Steps whose update is skipped because of an overflow. The learning rate advances. */
  skipped?: readonly number[];
  /** The parameters that train. */
  trainable?: readonly OptimizedParameter[];
}

/** The updates by PyTorch's algorithms in float64. Skipped ones do not count, as in GradScaler. */
export function expectedUpdates(
  training: TrainingConfig,
  { skipped = [], trainable = PARAMETERS }: ExpectedOptions = {},
): UpdateResult {
  const states = trainable.map((p) => initialState(training, p));
  const norms: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const gradients = states.map(({ p }) => Float64Array.from(gradientAt(p, step)));
    const norm = torch.clipGradNorm(gradients, training.grad_clip);
    if (skipped.includes(step)) continue;
    norms.push(norm);
    states.forEach((state, i) => {
      updateParameter(training, state, gradients[i] ?? new Float64Array(), rateAt(training, step));
    });
  }
  return { norms, values: new Map(states.flatMap(namedValues)) };
}

/** A parameter with the moments that its optimizer keeps. */
interface ParameterState {
  p: OptimizedParameter;
  value: Float64Array;
  adam: torch.AdamState | null;
  buffer: Float64Array | null;
}

function initialState(training: TrainingConfig, p: OptimizedParameter): ParameterState {
  const value = Float64Array.from(initialValue(p));
  const usesMuon = training.optimizer === 'muon' && p.kind === 'matrix';
  const usesAdam = !usesMuon && training.optimizer !== 'sgd';
  const keepsBuffer = !usesAdam && (usesMuon || training.momentum > 0);
  return {
    p,
    value,
    adam: usesAdam ? torch.adamState(sizeOf(p)) : null,
    buffer: keepsBuffer ? new Float64Array(sizeOf(p)) : null,
  };
}

function namedValues({ p, value, adam, buffer }: ParameterState): [string, Float64Array][] {
  const values: [string, Float64Array][] = [[p.name, value]];
  if (adam) values.push([`exp_avg.${p.name}`, adam.exp_avg]);
  if (adam) values.push([`exp_avg_sq.${p.name}`, adam.exp_avg_sq]);
  if (buffer) values.push([`momentum_buffer.${p.name}`, buffer]);
  return values;
}

function updateParameter(
  training: TrainingConfig,
  { p, value, adam, buffer }: ParameterState,
  gradient: Float64Array,
  lr: number,
): void {
  const { optimizer, momentum, beta1, beta2, epsilon: eps } = training;
  const weight_decay = p.decay ? training.weight_decay : 0;
  if (adam) {
    const decoupled = optimizer !== 'adam';
    torch.adam(value, gradient, adam, { lr, beta1, beta2, eps, weight_decay, decoupled });
    return;
  }
  const ownBuffer = buffer ?? new Float64Array(gradient.length);
  if (optimizer === 'sgd') {
    torch.sgd(value, gradient, ownBuffer, { lr, momentum, weight_decay });
    return;
  }
  const muonRate = (training.muon_learning_rate * lr) / training.learning_rate;
  const options = { lr: muonRate, momentum, weight_decay };
  updateByMuon(p, { value, gradient, buffer: ownBuffer }, options);
}

/** Cuts out each packed matrix, as PyTorch's [out, in], updates it, and puts it back. */
function updateByMuon(
  p: OptimizedParameter,
  { value, gradient, buffer }: Record<'value' | 'gradient' | 'buffer', Float64Array>,
  options: torch.MomentumOptions,
): void {
  const [rows = 0, columns = 0] = p.shape;
  for (const { start, end } of packedColumns(p)) {
    const cut = (data: Float64Array): torch.Matrix =>
      torch.transposed(torch.columnsOf({ rows, columns, data }, start, end));
    const putBack = (matrix: torch.Matrix, target: Float64Array): void => {
      const part = torch.transposed(matrix);
      part.data.forEach((v, i) => {
        target[Math.floor(i / part.columns) * columns + start + (i % part.columns)] = v;
      });
    };
    const valuePart = cut(value);
    const bufferPart = cut(buffer);
    torch.muon(valuePart, cut(gradient), bufferPart, options);
    putBack(valuePart, value);
    putBack(bufferPart, buffer);
  }
}
