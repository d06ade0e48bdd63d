/** A family of saved models for the scripted worker: a base model and the stages after it. */
import { parseConfig } from '../config/index.ts';
import { parseStage, type StageInput } from '../config/stage/index.ts';
import type { MetricColumns, RunRecord } from '../protocol/index.ts';

const MODEL = { layout: 'llama', n_layer: 4, n_head: 4, n_embd: 96, block_size: 128 };

interface Saved {
  name: string;
  parent?: string;
  minutes: number;
  max_iters: number;
  val_loss: number;
  stage?: StageInput;
  change?: Partial<RunRecord>;
}

function saved(run: string, { name, parent, minutes, max_iters, val_loss, stage, change }: Saved) {
  const at = Date.now() - minutes * 60_000;
  const config = parseConfig({
    data: { corpus: 'tiny_tales' },
    tokenizer: { kind: 'bpe', vocab_size: 512 },
    model: MODEL,
    training: { max_iters, eval_interval: Math.round(max_iters / 10) },
  });
  const record: RunRecord = {
    run,
    name,
    created: at,
    updated: at,
    step: max_iters,
    max_iters,
    val_loss,
    last_val_loss: val_loss,
    n_params: 498_432,
    bytes: 6_100_000,
    config,
    locked: false,
    resumable: true,
    lineage: {
      objective: stage?.objective ?? 'pretrain',
      parent: parent === undefined ? null : { kind: 'run', run: parent, name: parent, step: 2000 },
      dataset: 'Tiny tales',
    },
    stage: stage ? parseStage(stage) : null,
  };
  return { ...record, ...change };
}

export const savedStages = (): RunRecord[] => [
  saved('base', { name: 'Tales', minutes: 40, max_iters: 2000, val_loss: 1.31 }),
  saved('sft', {
    name: 'Tales that answer',
    parent: 'base',
    minutes: 31,
    max_iters: 400,
    val_loss: 0.214,
    stage: { objective: 'sft', dataset: { size: 10_000 } },
    change: { votes: 14 },
  }),
  saved('lora', {
    name: 'Tales that answer, adapter',
    parent: 'base',
    minutes: 28,
    max_iters: 400,
    val_loss: 0.231,
    stage: { objective: 'sft', peft: { peft_type: 'lora' }, dataset: { size: 10_000 } },
  }),
  saved('dpo', {
    name: 'Keeps the constraint',
    parent: 'sft',
    minutes: 22,
    max_iters: 200,
    val_loss: 0.402,
    stage: { objective: 'dpo', dataset: { votes: 'beside', label_noise: 0.1 } },
    change: { best: { step: 140, score: 0.38 } },
  }),
  saved('reward', {
    name: 'Judge',
    parent: 'sft',
    minutes: 18,
    max_iters: 300,
    val_loss: 0.22,
    stage: { objective: 'reward' },
  }),
  saved('ppo', {
    name: 'Rewarded by the judge',
    parent: 'sft',
    minutes: 9,
    max_iters: 100,
    val_loss: 0.9,
    stage: { objective: 'ppo' },
    change: { step: 62 },
  }),
  saved('grpo', {
    name: 'Checked answers',
    parent: 'sft',
    minutes: 3,
    max_iters: 200,
    val_loss: 0.3,
    stage: { objective: 'grpo' },
  }),
];

/** Metrics of the stages as far as the tree shows them, by the id of the run. */
const LAST: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  dpo: { 'val/rewards/accuracies': 0.918 },
  reward: { 'val/accuracy': 0.934 },
  ppo: { 'objective/scores': 1.21 },
  grpo: { reward: 0.628 },
};

/** The columns with those of a stage of `savedStages` added; each rises to its last value. */
export function withStageMetrics(columns: MetricColumns, run: string): MetricColumns {
  const added = Object.entries(LAST[run] ?? {}).map(
    ([name, last]) =>
      [name, columns.step.map((step) => last * (1 - 0.5 * Math.exp(-step / 60)))] as const,
  );
  return { ...columns, ...Object.fromEntries(added) };
}
