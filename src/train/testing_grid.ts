/**
 * A grid of configurations, and the bytes that a run of each allocates. It is made in two tests,
 * because a process has one backend: `planned_grid.test.ts` on the engine on the processor, and
 * `planned_grid_webgpu.test.ts` on a device that counts buffers.
 */
import { deviceMemory, maxBindingSize } from '../backend/index.ts';
import {
  defaultConfig,
  recomputeGranularity,
  resolveModel,
  type RunConfig,
} from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { planRun } from '../plan/index.ts';
import { ONE_RANK, rankMemory, trainingOf } from '../plan/parallel/index.ts';
import { Trainer, type TrainerState } from './index.ts';

/** Largest relative difference between planned and allocated bytes. */
export const TOLERANCE = 0.1;

interface Size {
  model: Partial<RunConfig['model']>;
  batch_size: number;
  vocab_size: number;
}

const SIZES: Readonly<Record<'small' | 'medium' | 'large', Size>> = {
  small: { model: { n_layer: 2, n_embd: 64, block_size: 32 }, batch_size: 8, vocab_size: 96 },
  medium: { model: { n_layer: 4, n_embd: 128, block_size: 64 }, batch_size: 16, vocab_size: 512 },
  large: { model: { n_layer: 6, n_embd: 192, block_size: 128 }, batch_size: 8, vocab_size: 2048 },
};
/** Heads of a width of their own, shared keys and values, and QK-norm, as in Qwen3. */
const QWEN3: Size = {
  model: {
    n_layer: 6,
    n_embd: 128,
    n_head: 8,
    n_kv_head: 4,
    head_dim: 32,
    n_inner: 384,
    qk_norm: true,
    block_size: 64,
  },
  batch_size: 8,
  vocab_size: 512,
};
const LAYOUTS = ['gpt2', 'llama'] as const;
const OPTIMIZERS = ['adamw', 'adam', 'sgd', 'muon'] as const;

type Precision = RunConfig['training']['mixed_precision'];

export interface Point {
  name: string;
  config: RunConfig;
  vocab_size: number;
}

/**
 * Three sizes, both layouts, each optimizer, with and without full recomputation; then some with
 * selective recomputation.
 */
export function pointsOf(mixed_precision: Precision): Point[] {
  const points: Point[] = [];
  for (const [name, size] of Object.entries(SIZES))
    for (const layout of LAYOUTS)
      for (const optimizer of OPTIMIZERS)
        for (const activation_checkpointing of [false, true]) {
          const training = { optimizer, mixed_precision, activation_checkpointing };
          points.push(pointOf(name, size, { layout, training }));
        }
  return [...points, ...selectivePoints(mixed_precision)];
}

/** With selective recomputation; AdamW. */
function selectivePoints(mixed_precision: Precision): Point[] {
  const fields = { activation_checkpointing: true, recompute_granularity: 'selective' } as const;
  const training = { mixed_precision, ...fields };
  const { medium } = SIZES;
  return [
    pointOf('medium', medium, { layout: 'gpt2', training }),
    pointOf('medium', medium, { layout: 'llama', training }),
    pointOf('as Qwen3', QWEN3, { layout: 'llama', training: { mixed_precision } }),
    pointOf('as Qwen3', QWEN3, { layout: 'llama', training }),
  ];
}

interface Choices {
  layout: (typeof LAYOUTS)[number];
  training: Partial<RunConfig['training']>;
}

function pointOf(name: string, size: Size, { layout, training }: Choices): Point {
  const config = defaultConfig();
  Object.assign(config.model, { layout, ...size.model });
  if (layout === 'llama') config.model.activation_function = 'silu';
  Object.assign(config.training, { batch_size: size.batch_size, ...training });
  const { optimizer, mixed_precision } = config.training;
  const recompute = recomputeGranularity(config.training);
  const precision = mixed_precision === 'no' ? 'fp32' : mixed_precision;
  return {
    name: `${layout} ${name}, ${optimizer}, ${precision}, ${recompute} recomputed`,
    config,
    vocab_size: size.vocab_size,
  };
}

const allocated = (): number => deviceMemory()?.live ?? NaN;

/** Bytes that a trainer holds. */
async function allocatedBy(
  { config, vocab_size }: Point,
  from: TrainerState | null,
): Promise<number> {
  const tokens = new Int32Array(2 * config.model.block_size + 2);
  const bytes_per_token = new Uint16Array(vocab_size).fill(1);
  const before = allocated();
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token },
    vocab_size,
    from,
    precision: { mixed_precision: config.training.mixed_precision, reason: null },
  });
  const held = allocated() - before;
  trainer.dispose();
  return held;
}

export interface Compared {
  name: string;
  allocated: number;
  /** Of the plan of a run, without generation; planned over allocated, minus 1. */
  run_error: number;
  /** Of the plan of one rank. */
  rank_error: number;
}

/** Initial weights are drawn unless there is a state to start from. */
export async function compare(point: Point, from: TrainerState | null = null): Promise<Compared> {
  const { config, vocab_size } = point;
  const held = await allocatedBy(point, from);
  const { memory } = planRun(config, { vocab_size, max_binding_size: maxBindingSize() });
  const model = resolveModel(config.model, vocab_size);
  const rank = rankMemory(model, trainingOf(config), { mesh: ONE_RANK, pp_rank: 0 });
  return {
    name: point.name,
    allocated: held,
    run_error: (memory.total - memory.cache) / held - 1,
    rank_error: rank.total / held - 1,
  };
}

export const largestError = ({ run_error, rank_error }: Compared): number =>
  Math.max(Math.abs(run_error), Math.abs(rank_error));

/** The configurations that are planned worst, a line each. */
export function worstText(rows: readonly Compared[], lines = 3): string {
  return [...rows]
    .sort((a, b) => largestError(b) - largestError(a))
    .slice(0, lines)
    .map(({ name, allocated: held, run_error, rank_error }) => {
      const errors = [run_error, rank_error].map((error) => `${(100 * error).toFixed(1)} %`);
      return `${name}: ${(held / 1e6).toFixed(1)} MB, ${errors.join(' and ')}`;
    })
    .join('\n');
}
