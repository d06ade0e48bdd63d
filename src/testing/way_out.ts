/**
 * Runs on the engine on the processor that become bundles for PyTorch: each is saved after some steps,
 * and goes on here, so that train.py can be compared with what the page would have done.
 */
import { writeCheckpoint, type CheckpointState } from '../checkpoint/index.ts';
import { adapterFiles } from '../checkpoint/adapter_export.ts';
import { bundleFiles } from '../checkpoint/bundle/bundle.ts';
import type { Batch } from '../common/index.ts';
import { resolveModel, type RunConfig } from '../config/index.ts';
import type { StageInput } from '../config/stage/index.ts';
import {
  loadCorpus,
  makeSplit,
  makeTokenizer,
  makeTokenSplit,
  type Tokenizer,
} from '../data/index.ts';
import { pretrain } from '../objectives/index.ts';
import { Trainer, type TrainerOptions, type TrainerState } from '../train/index.ts';
import { labBase, labConfig, stageOptions, type LabChanges } from './stage_lab.ts';

export interface WayOutCase {
  name: string;
  base: LabChanges;
  /** Of a stage, which starts from the base; null continues pretraining. */
  stage: { input: StageInput; training: LabChanges['training'] } | null;
}

const SMALL = { n_layer: 4, n_head: 4, n_embd: 64, block_size: 32, dropout: 0 } as const;
const TRAINING = {
  learning_rate: 1e-3,
  min_lr: 1e-4,
  warmup_iters: 10,
  batch_size: 8,
  gradient_accumulation_steps: 2,
  max_iters: 400,
  eval_interval: 100,
  eval_iters: 2,
} as const;
/** Fine-tuning: rates at which two orders of the same sums stay on one curve for hundreds of steps. */
const FINE_TUNING = { ...TRAINING, batch_size: 16, learning_rate: 1e-4, min_lr: 1e-5 } as const;
const BASE = {
  data: { corpus: 'arithmetic' },
  model: { layout: 'gpt2', ...SMALL },
  training: { ...TRAINING, max_iters: 200 },
  sampling: { sample_interval: 0 },
} as const satisfies LabChanges;
const LLAMA = {
  layout: 'llama',
  ...SMALL,
  n_kv_head: 2,
  activation_function: 'silu',
  tie_word_embeddings: false,
} as const;

export const WAY_OUT_CASES: readonly WayOutCase[] = [
  { name: 'pretrain_gpt2', base: { ...BASE, training: TRAINING }, stage: null },
  {
    name: 'pretrain_llama',
    base: {
      ...BASE,
      data: { corpus: 'names' },
      model: LLAMA,
      training: { ...TRAINING, lr_schedule: 'wsd', optimizer: 'adam', weight_decay: 0.01 },
    },
    stage: null,
  },
  {
    name: 'sft',
    base: BASE,
    stage: {
      input: { objective: 'sft', dataset: { task: 'arithmetic', size: 600, eval_size: 50 } },
      training: FINE_TUNING,
    },
  },
  {
    name: 'sft_packed',
    base: { ...BASE, model: LLAMA },
    stage: {
      input: {
        objective: 'sft',
        dataset: { task: 'arithmetic', size: 600, eval_size: 50 },
        sft: { packing: true },
      },
      training: FINE_TUNING,
    },
  },
  {
    name: 'dpo',
    base: BASE,
    stage: {
      input: {
        objective: 'dpo',
        dataset: { task: 'arithmetic', preference: 'correct', size: 600, eval_size: 50 },
      },
      training: { ...FINE_TUNING, learning_rate: 3e-5, min_lr: 3e-6 },
    },
  },
  {
    name: 'sft_lora',
    base: BASE,
    stage: {
      input: {
        objective: 'sft',
        dataset: { task: 'arithmetic', size: 600, eval_size: 50 },
        peft: { peft_type: 'lora', r: 4 },
      },
      training: { ...FINE_TUNING, learning_rate: 1e-3, min_lr: 1e-4 },
    },
  },
  {
    name: 'dpo_lora',
    base: { ...BASE, model: LLAMA },
    stage: {
      input: {
        objective: 'dpo',
        dataset: { task: 'arithmetic', preference: 'correct', size: 600, eval_size: 50 },
        peft: { peft_type: 'lora', r: 3, lora_alpha: 8, target_modules: 'attention' },
      },
      training: { ...FINE_TUNING, learning_rate: 1e-3, min_lr: 1e-4 },
    },
  },
];

/** A run that has a trainer, and what its checkpoint has beside the trainer's state. */
export interface WayOutRun {
  options: TrainerOptions;
  trainer: Trainer;
  tokenizer: Tokenizer;
}

/** The run of a case at its first step; `base_steps` shortens the pretraining before a stage. */
export async function beginCase(
  { base, stage }: WayOutCase,
  base_steps = base.training?.max_iters,
): Promise<WayOutRun> {
  const config = labConfig(base);
  if (!stage) {
    const { tokenizer, ...options } = await textOptions(config);
    return { options, tokenizer, trainer: await Trainer.create(options) };
  }
  config.training.max_iters = base_steps ?? config.training.max_iters;
  const parent = await labBase(config);
  const changes = { training: stage.training ?? {} };
  const options = await stageOptions({ parent, stage: stage.input, changes });
  const { tokenizer } = options.data.chat;
  return { options, tokenizer, trainer: await Trainer.create(options) };
}

async function textOptions(config: RunConfig) {
  const corpus = await loadCorpus(config.data);
  const text = makeSplit(corpus, { val_fraction: config.data.val_fraction });
  const tokenizer = await makeTokenizer(config.tokenizer, text);
  const split = makeTokenSplit(text, tokenizer);
  return { config, objective: pretrain, split, tokenizer, vocab_size: tokenizer.vocab_size };
}

/** The same run from a saved state; `micro_batches` cuts its steps another way. */
export async function continued(
  { options, tokenizer }: WayOutRun,
  from: TrainerState,
  micro_batches?: number,
): Promise<WayOutRun> {
  const config = structuredClone(options.config);
  const { training } = config;
  if (micro_batches !== undefined) {
    const rows = training.batch_size * training.gradient_accumulation_steps;
    training.batch_size = rows / micro_batches;
    training.gradient_accumulation_steps = micro_batches;
  }
  const again = { ...options, config, from };
  return { options: again, tokenizer, trainer: await Trainer.create(again) };
}

/** Trains on, and returns the loss of every step. */
export async function takeSteps(trainer: Trainer, count: number): Promise<number[]> {
  const losses: number[] = [];
  const last = trainer.step + count;
  const drain = async (): Promise<void> => {
    losses.push(...(await trainer.drain()).map(({ loss }) => loss));
  };
  while (trainer.step < last) {
    await trainer.takeStep();
    if (trainer.mustDrain) await drain();
  }
  await drain();
  return losses;
}

/** The bundle of a run as it is now, as the worker of the page makes it. */
export async function bundleOf({ options, trainer, tokenizer }: WayOutRun) {
  const { config, stage = null, data = null, split, objective } = options;
  const chat = data?.chat;
  const state: CheckpointState = {
    ...(await trainer.state()),
    config,
    model: trainer.model,
    elapsed_seconds: 1,
    tokenizer,
    lineage: { objective: objective.name, parent: null, dataset: '' },
    stage,
    chat_template: chat?.chat_template ?? null,
    pad_token_id: chat?.pad_token_id ?? null,
    bos_token_id: chat?.bos_token_id,
  };
  const checkpoint = new Map([...writeCheckpoint(state), ...adapterFiles(state)]);
  const learned = { tokens: split, stage: stage && data ? { config: stage, data } : null };
  return { state, files: bundleFiles({ ...learned, state, checkpoint }) };
}

/** Ids of all rows of some further steps, in the order of the rows: one list per step. */
export async function furtherIds(run: WayOutRun, steps: number): Promise<number[][]> {
  const { options, trainer } = run;
  const { config, stage = null, data = null, split, objective, vocab_size } = options;
  const model = resolveModel(config.model, vocab_size);
  const nothing = (batch: Batch) => Promise.resolve(new Float32Array(batch.ids.length));
  const none = (): never => {
    throw new Error('Batches of these objectives need no answers.');
  };
  const programs = {
    logps: nothing,
    referenceLogps: nothing,
    run: none,
    rollouts: none,
    generation: none,
  };
  const source = objective.source({ config, model, stage, data, split, programs });
  const all: number[][] = [];
  for (let step = trainer.step; step < trainer.step + steps; step++)
    all.push((await source.step(step)).flatMap(({ ids }) => [...ids]));
  return all;
}
