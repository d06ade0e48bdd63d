/** Why a mesh cannot train a model with a batch, in one sentence for each reason. */
import type { ResolvedModel } from '../../config/index.ts';
import { chunksOf, type Mesh, worldSize } from './mesh.ts';
import type { StepBatch } from './training.ts';

export interface MeshProblem {
  /** The field to mark. */
  field: MeshField;
  /** What is wrong and which values are possible, in one sentence. */
  message: string;
  /** The nearest possible values of `field`: the next smaller one, then the next larger one. */
  nearest: readonly number[];
}

export type MeshField = keyof Mesh | 'batch_size' | 'gradient_accumulation_steps';

/** Ranks of the largest arrangement that is planned. */
export const MAX_RANKS = 65_536;

/** All problems of a mesh, the most basic first; none if it can train the model with this batch. */
export function meshProblems(mesh: Mesh, model: ResolvedModel, training: StepBatch): MeshProblem[] {
  const sizes = sizeProblems(mesh);
  if (sizes.length > 0) return sizes;
  return [
    ...tensorProblems(mesh, model),
    ...pipelineProblems(mesh, model, training),
    ...batchProblems(mesh, training),
  ];
}

const SIZES = ['dp', 'tp', 'pp', 'virtual_chunks'] as const;

function sizeProblems(mesh: Mesh): MeshProblem[] {
  const problems = SIZES.filter((field) => !isCount(mesh[field])).map((field) => ({
    field,
    message: `${field} must be a whole number of at least 1, not ${mesh[field]}.`,
    nearest: [1],
  }));
  if (problems.length > 0 || worldSize(mesh) <= MAX_RANKS) return problems;
  return [
    {
      field: 'dp',
      message: `This mesh has ${worldSize(mesh)} ranks, and at most ${MAX_RANKS} are planned.`,
      nearest: [Math.max(1, Math.floor(MAX_RANKS / (mesh.tp * mesh.pp)))],
    },
  ];
}

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1;

/**
 * Values of `tp` that split heads and feed-forward columns evenly, ascending. Parts of the vocabulary may
 * differ by one token (Megatron-LM pads it instead), but must not be empty.
 */
export function tensorSizes(model: ResolvedModel): number[] {
  const { n_head, n_kv_head, n_inner, vocab_size } = model;
  return divisors(n_kv_head).filter(
    (tp) => [n_head, n_inner].every((size) => size % tp === 0) && tp <= vocab_size,
  );
}

function tensorProblems({ tp }: Mesh, model: ResolvedModel): MeshProblem[] {
  const parts = [
    ['heads', model.n_head],
    ['key/value heads', model.n_kv_head],
    ['feed-forward columns', model.n_inner],
  ] as const;
  const nearest = nearestOf(tensorSizes(model), tp);
  const uneven = parts
    .filter(([name, size]) => size % tp !== 0 && !isRepeated(name, model))
    .map(([name, size]) => ({
      field: 'tp' as const,
      message: `${size} ${name} cannot be split evenly among ${tp} ranks; ${setTo('tp', nearest)}.`,
      nearest,
    }));
  return [...uneven, ...vocabularyProblems(model.vocab_size, tp, nearest)];
}

function vocabularyProblems(size: number, tp: number, nearest: readonly number[]): MeshProblem[] {
  if (size >= tp) return [];
  const message =
    `${size} tokens of the vocabulary cannot be split among ${tp} ranks; ` +
    `${setTo('tp', nearest)}.`;
  return [{ field: 'tp', message, nearest }];
}

/** A model without grouped-query attention has as many key/value heads as heads. */
const isRepeated = (name: string, { n_head, n_kv_head }: ResolvedModel): boolean =>
  name === 'key/value heads' && n_kv_head === n_head;

function pipelineProblems(
  mesh: Mesh,
  model: ResolvedModel,
  { gradient_accumulation_steps: microbatches }: StepBatch,
): MeshProblem[] {
  const { pp, schedule, virtual_chunks } = mesh;
  const { n_layer } = model;
  if (n_layer % pp !== 0) {
    const nearest = nearestOf(divisors(n_layer), pp);
    const message =
      `${n_layer} layers cannot be split evenly among ${pp} pipeline stages; ` +
      `${setTo('pp', nearest)}.`;
    return [{ field: 'pp', message, nearest }];
  }
  if (schedule !== 'interleaved' || pp === 1) return [];
  const layers = n_layer / pp;
  if (layers % chunksOf(mesh) !== 0) {
    const nearest = nearestOf(divisors(layers), virtual_chunks);
    const message =
      `The ${layers} layers of a stage cannot be cut into ${virtual_chunks} equal chunks; ` +
      `${setTo('virtual_chunks', nearest)}.`;
    return [{ field: 'virtual_chunks', message, nearest }];
  }
  if (microbatches % pp === 0) return [];
  const nearest = nearestMultiples(microbatches, pp);
  const message =
    `The interleaved schedule needs a multiple of ${pp} micro-batches, one for each stage, ` +
    `not ${microbatches}; ${setTo('gradient_accumulation_steps', nearest)}.`;
  return [{ field: 'gradient_accumulation_steps', message, nearest }];
}

function batchProblems({ dp }: Mesh, { batch_size }: StepBatch): MeshProblem[] {
  if (batch_size % dp === 0) return [];
  const nearest = nearestOf(divisors(batch_size), dp);
  const message =
    `A micro-batch of ${batch_size} ${batch_size === 1 ? 'sequence' : 'sequences'} cannot be ` +
    `split evenly among ${dp} data-parallel ranks; ${setTo('dp', nearest)}, or make ` +
    `micro-batches of ${nearestMultiples(batch_size, dp).join(' or ')}.`;
  return [{ field: 'dp', message, nearest }];
}

/** The problem of a batch that cannot be divided into micro-batches evenly; null if it can. */
export function microBatchProblem(global_batch_size: number, steps: number): MeshProblem | null {
  if (global_batch_size % steps === 0) return null;
  const field = 'gradient_accumulation_steps';
  const nearest = nearestOf(divisors(global_batch_size), steps);
  const message =
    `${global_batch_size} sequences cannot be split evenly into ${steps} micro-batches; ` +
    `${setTo(field, nearest)}.`;
  return { field, message, nearest };
}

/** The divisors of a whole number, ascending. */
export function divisors(value: number): number[] {
  const small: number[] = [];
  const large: number[] = [];
  for (let candidate = 1; candidate * candidate <= value; candidate++) {
    if (value % candidate !== 0) continue;
    small.push(candidate);
    if (candidate * candidate < value) large.unshift(value / candidate);
  }
  return [...small, ...large];
}

/** The next smaller and the next larger of ascending values, where these exist. */
function nearestOf(values: readonly number[], wanted: number): number[] {
  const smaller = values.findLast((value) => value < wanted);
  const larger = values.find((value) => value > wanted);
  return [smaller, larger].filter((value) => value !== undefined);
}

function nearestMultiples(value: number, factor: number): number[] {
  const smaller = Math.floor(value / factor) * factor;
  return [smaller, smaller + factor].filter((multiple) => multiple > 0);
}

/** "set tp to 3 or 6" */
const setTo = (field: MeshField, values: readonly number[]): string =>
  `set ${field} to ${values.join(' or ')}`;
