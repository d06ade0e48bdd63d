/**
 * Objectives that the product does not know: one with a scalar head and paired rows, one with a
 * frozen reference, an extra input per token and an asynchronous source; and pretraining with
 * frozen parameters.
 */
import { describe, expect, it } from 'vitest';
import {} from '../backend/index.ts';
import { CHARTS, METRICS, type MetricRow } from '../common/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { type TokenSplit } from '../data/index.ts';
import { defineObjective, type Objective, pretrain } from '../objectives/index.ts';
import { planRun } from '../plan/index.ts';
import { paired } from '../testing/objectives/paired.ts';
import { referenced } from '../testing/objectives/referenced.ts';
import { chartSpecs } from '../ui/charts/catalogue.ts';
import { Control, MetricBuffer, Trainer, trainLoop, type TrainerState } from './index.ts';
import { startTested } from '../testing/start_once.ts';

const VOCAB = 12;

/** Rising tokens: no two neighbours are equal but at every seventh. */
const tokens = Int32Array.from({ length: 400 }, (_, i) => (i + Math.floor(i / 7)) % VOCAB);
const split: TokenSplit = {
  train: tokens,
  val: tokens.slice(0, 100),
  bytes_per_token: new Uint16Array(VOCAB).fill(1),
};

function tinyConfig(max_iters: number): RunConfig {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8, dropout: 0.1 });
  const rates = { learning_rate: 5e-3, min_lr: 5e-3, warmup_iters: 0 };
  const sizes = { batch_size: 8, max_iters, eval_interval: 5, eval_iters: 1 };
  Object.assign(config.training, rates, sizes);
  config.sampling.sample_interval = 0;
  config.runtime.autosave_interval = 0;
  return config;
}

interface Trained {
  rows: MetricRow[];
  state: TrainerState;
}

/** Trains to `max_iters` by the product's loop. */
async function train(
  objective: Objective,
  max_iters: number,
  from: TrainerState | null = null,
): Promise<Trained> {
  const config = tinyConfig(max_iters);
  const trainer = await Trainer.create({ config, objective, split, vocab_size: VOCAB, from });
  const rows: MetricRow[] = [];
  await trainLoop({
    trainer,
    control: new Control(),
    buffer: new MetricBuffer(),
    seconds: 0,
    best_val_loss: null,
    hooks: {
      phase: () => undefined,
      sample: async () => ({}),
      save: async () => undefined,
      measure: () => ({}),
      slept: () => undefined,
      metrics: (buffer) => {
        const { step, ...columns } = buffer.flush();
        step.forEach((at, i) => {
          const values = Object.entries(columns).map(([name, column]) => [name, column[i]]);
          rows.push({ step: at, ...(Object.fromEntries(values) as Record<string, number>) });
        });
      },
    },
  });
  const state = await trainer.state();
  trainer.dispose();
  return { rows, state };
}

const series = (rows: readonly MetricRow[], name: string): number[] =>
  rows.map((row) => row[name] ?? NaN).filter((value) => !Number.isNaN(value));

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(['cpu', 'processor', 'webgl', 'webgpu'] as const)('on %s', (backend) => {
  it.each([paired, referenced])('$name trains, and its metrics reach the charts', async (one) => {
    await startTested(backend);
    const { rows } = await train(one, 40);
    const losses = series(rows, 'train/loss');
    expect(losses).toHaveLength(40);
    console.log(`${one.name}: ${mean(losses.slice(0, 8))} to ${mean(losses.slice(-8))}`);
    expect(mean(losses.slice(-8))).toBeLessThan(0.9 * mean(losses.slice(0, 8)));
    expect(series(rows, 'val/loss').length).toBeGreaterThan(0);
    const [own] = one.metrics;
    expect(series(rows, own?.name ?? '')).toHaveLength(40);
    const charts = chartSpecs([...METRICS, ...one.metrics], [...CHARTS, ...one.charts]);
    expect(charts.at(-1)?.series.map(({ metric }) => metric)).toEqual([own?.name]);
  });

  it.each([paired, referenced])('$name resumes in the middle of a run to the bit', async (one) => {
    await startTested(backend);
    const whole = await train(one, 6);
    const first = await train(one, 3);
    const rest = await train(one, 6, first.state);
    const losses = [...series(first.rows, 'train/loss'), ...series(rest.rows, 'train/loss')];
    expect(losses).toEqual(series(whole.rows, 'train/loss'));
    for (const [name, values] of whole.state.parameters) {
      expect(rest.state.parameters.get(name), name).toEqual(values);
    }
    expect(rest.state.objective_tensors).toEqual(whole.state.objective_tensors);
  });
});

describe.each(['processor', 'webgpu'] as const)('frozen parameters on %s', (backend) => {
  const trains = ({ kind }: { kind: string }): boolean => kind === 'head';
  const headOnly = defineObjective({ ...pretrain, name: 'head only', trains });

  it('keep every bit while the head trains, and take what the plan says', async () => {
    await startTested(backend);
    const config = tinyConfig(20);
    config.model.tie_word_embeddings = false;
    const trainer = await Trainer.create({
      config,
      objective: headOnly,
      split,
      vocab_size: VOCAB,
    });
    const start = await trainer.state();
    for (let i = 0; i < 20; i++) await trainer.takeStep();
    await trainer.drain();
    const end = await trainer.state();
    for (const [name, values] of start.parameters) {
      if (name === 'lm_head.weight') expect(end.parameters.get(name)).not.toEqual(values);
      else expect(end.parameters.get(name), name).toEqual(values);
    }
    expect([...end.optimizer.keys()]).toEqual([
      'exp_avg.lm_head.weight',
      'exp_avg_sq.lm_head.weight',
    ]);
    const { weights, gradients } = trainer.stores;
    trainer.dispose();
    // The plan counts the aligned buffers of WebGPU.
    if (backend !== 'webgpu') return;
    const all = weights.parameters;
    const parameters = { trainable: all.filter(trains), frozen: all.filter((p) => !trains(p)) };
    const { memory } = planRun(config, { vocab_size: VOCAB, parameters });
    const moments = [...end.optimizer.values()].map(({ byteLength }) => byteLength);
    expect(weights.trainable.bytes + (weights.frozen?.bytes ?? 0)).toBe(memory.weights);
    expect(gradients.store.bytes).toBe(memory.gradients);
    expect(moments.reduce((sum, bytes) => sum + bytes, 0)).toBe(memory.optimizer);
  });
});
