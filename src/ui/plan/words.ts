/** Words and names that several parts of the panel share. */
import {
  type Candidate,
  type CollectiveKind,
  type Loss,
  type MemoryKind,
  type Precision,
  type RecomputeGranularity,
  type SlowPart,
  STAGE_MODELS,
  type StageModel,
} from '../../plan/parallel/index.ts';
import { bytes, count, measure } from '../../store/index.ts';

export const MEMORY_LABELS: Readonly<Record<MemoryKind, { label: string; colour: string }>> = {
  weights: { label: 'Weights', colour: 'var(--c-train)' },
  gradients: { label: 'Gradients', colour: 'var(--c-speed)' },
  optimizer: { label: 'Optimizer', colour: 'var(--c-grad)' },
  activations: { label: 'Activations', colour: 'var(--c-val)' },
  logits: { label: 'Logits', colour: 'var(--c-lr)' },
  temporaries: { label: 'Temporaries', colour: 'var(--c-gpu)' },
  rollouts: { label: 'Sampling', colour: 'var(--c-other)' },
  inputs: { label: 'Inputs', colour: 'var(--c-time)' },
  fragmentation: { label: 'Fragmentation', colour: 'var(--c-heap)' },
};

const MODELS: Readonly<Record<StageModel, string>> = {
  policy: 'the model',
  adapters: 'adapters',
  value_model: 'the value model',
  reward_model: 'the reward model',
  reference: 'the reference',
};

/** "540 MB of the model, 7.4 MB of adapters"; '' for one model alone. */
export function modelsText(models: Readonly<Record<StageModel, number>> | null): string {
  if (!models) return '';
  const present = STAGE_MODELS.filter((model) => models[model] > 0);
  if (present.length < 2) return '';
  return present.map((model) => `${bytes(models[model])} of ${MODELS[model]}`).join(', ');
}

export const PRECISION_LABELS: Readonly<Record<Precision, string>> = {
  fp32: 'float32',
  autocast: 'float16 activations (as here)',
  mixed: 'mixed: 16-bit weights, float32 master',
};

export const RECOMPUTE_LABELS: Readonly<Record<RecomputeGranularity, string>> = {
  none: 'nothing',
  selective: 'cheap operations (selective)',
  full: 'every block (full)',
};

export const COLLECTIVE_LABELS: Readonly<Record<CollectiveKind, string>> = {
  all_reduce: 'all-reduce',
  reduce_scatter: 'reduce-scatter',
  all_gather: 'all-gather',
  send: 'send',
};

export const GROUP_LABELS = { dp: 'DP', tp: 'TP', pp: 'PP' } as const;

/** 0.4 ms, 12 ms, 3.40 s, 5.2 min, 7.1 h, 12 days */
export function seconds(value: number): string {
  if (value === 0) return '0 s';
  if (value < 1) return `${measure(value * 1000)} ms`;
  if (value < 120) return `${measure(value)} s`;
  if (value < 7200) return `${measure(value / 60)} min`;
  if (value < 172_800) return `${measure(value / 3600)} h`;
  return `${measure(value / 86_400)} days`;
}

const FLOP_UNITS = [
  [1e18, 'EFLOP'],
  [1e15, 'PFLOP'],
  [1e12, 'TFLOP'],
  [1e9, 'GFLOP'],
] as const;

/** 0.53 MFLOP, 5.26 GFLOP, 64.2 PFLOP */
export function flopText(value: number): string {
  const [size, unit] = FLOP_UNITS.find(([limit]) => value >= limit) ?? [1e6, 'MFLOP'];
  return `${measure(value / size)} ${unit}`;
}

export const ranks = (size: number): string => (size === 1 ? '1 rank' : `${count(size)} ranks`);

const SLOW_PARTS: Readonly<Record<SlowPart, string>> = {
  compute: 'it computes more',
  bubble: 'its pipeline waits longer',
  tensor: 'tensor parallelism sends more',
  pipeline: 'its stages send more',
  data: 'gradients and parameters take longer to send',
};

/** Times that differ by less than this factor count as equal, because rates are estimates. */
const EQUAL_WITHIN = 1.02;

/** Why a candidate is not the best one, as a sentence. */
export function lossSentence(loss: Loss): string {
  switch (loss.kind) {
    case 'more_ranks':
      return `Needs ${count(loss.ranks)} devices instead of ${count(loss.than)}${speedWords(loss.times_faster)}.`;
    case 'slower':
      if (loss.times < EQUAL_WITHIN)
        return 'As fast within the error of the estimate, and as large.';
      return `Takes ${measure(loss.times)} times as long: ${SLOW_PARTS[loss.most]}.`;
    case 'too_large':
      return `Does not fit: each device lacks ${bytes(loss.over)}.`;
    default:
      return loss satisfies never;
  }
}

function speedWords(times: number): string {
  if (times > EQUAL_WITHIN) return `, but is ${measure(times)} times as fast`;
  if (times < 1 / EQUAL_WITHIN) return `, and takes ${measure(1 / times)} times as long`;
  return ', and is no faster';
}

/** "64 micro-batches, recomputes every block" */
export function candidateDetails({ varied }: Candidate): string {
  const { gradient_accumulation_steps: microbatches, recompute_granularity } = varied;
  const batches = microbatches === 1 ? 'one micro-batch' : `${count(microbatches)} micro-batches`;
  return `${batches}, recomputes ${RECOMPUTE_LABELS[recompute_granularity]}`;
}
