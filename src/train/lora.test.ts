/** Runs that train adapters over frozen weights, on the engine on the processor. */
import { beforeAll, describe, expect, it } from 'vitest';
import { deviceMemory, startBackend } from '../backend/index.ts';
import { defaultConfig, type ModelConfig, resolveModel, type RunConfig } from '../config/index.ts';
import { type PeftConfig, parseStage, type StageConfig } from '../config/stage/index.ts';
import { loraScale } from '../model/adapter_parameters.ts';
import { isAdapterTensor, listParameters } from '../model/index.ts';
import { mergeAdapters } from '../model/merge.ts';
import { pretrain, type SourceContext } from '../objectives/index.ts';
import { paired } from '../testing/objectives/paired.ts';
import { referenced } from '../testing/objectives/referenced.ts';
import { closeness } from '../testing/expect_close.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { type ObjectiveTensor, Trainer, type TrainerOptions, type TrainerState } from './index.ts';

const VOCAB = 13;
const LAYOUTS: Record<string, Partial<ModelConfig>> = {
  gpt2: { layout: 'gpt2' },
  llama: { layout: 'llama', activation_function: 'silu', bias: false, n_kv_head: 1 },
};

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

function configOf(model: Partial<ModelConfig> = {}): RunConfig {
  const config = defaultConfig();
  const small = { n_layer: 2, n_head: 2, n_embd: 16, n_inner: 32, block_size: 8, dropout: 0 };
  Object.assign(config.model, small, model);
  Object.assign(config.training, { batch_size: 4, max_iters: 20, warmup_iters: 0, eval_iters: 2 });
  config.training.learning_rate = 0.02;
  return config;
}

function stageOf(peft: Partial<PeftConfig> = {}): StageConfig {
  return parseStage({ peft: { peft_type: 'lora', r: 4, lora_alpha: 8, ...peft } });
}

type Changes = Partial<Omit<TrainerOptions, 'config'>> & { model?: Partial<ModelConfig> };

function trainerOf({ model, ...options }: Changes = {}): Promise<Trainer> {
  const tokens = Int32Array.from({ length: 300 }, (_, i) => (i * i + 3 * i) % VOCAB);
  const bytes_per_token = new Uint16Array(VOCAB).fill(1);
  return Trainer.create({
    config: configOf(model),
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token },
    vocab_size: VOCAB,
    stage: stageOf(),
    ...options,
  });
}

async function take(trainer: Trainer, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    await trainer.takeStep();
    losses.push(...(await trainer.drain()).map(({ loss }) => loss));
  }
  return losses;
}

async function generated(trainer: Trainer, parameters?: TrainerState['parameters']) {
  const generator = parameters
    ? await trainer.generationOf(parameters)
    : await trainer.generation();
  const sampling = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, sample_seed: 1 };
  const choices: number[] = [];
  const prompts = [[1, 2], [5]];
  for await (const { row, choice } of generator.generateRows(prompts, {
    ...sampling,
    max_new_tokens: 12,
  })) {
    choices.push(1000 * row + choice.id);
  }
  if (parameters && 'dispose' in generator) generator.dispose();
  return choices.sort((a, b) => a - b);
}

describe.each(Object.entries(LAYOUTS))('LoRA over %s', (_name, model) => {
  it('learns, and leaves the base as it was, bit for bit', async () => {
    const trainer = await trainerOf({ model });
    const before = await trainer.state();
    const losses = await take(trainer, 60);
    const after = await trainer.state();
    trainer.dispose();
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) - 0.1);
    expect(after.parameters).toEqual(before.parameters);
    const adapters = [...(after.objective_tensors ?? [])];
    expect(adapters.length).toBe(16);
    for (const [name, { data }] of adapters) {
      expect(isAdapterTensor(name)).toBe(true);
      expect(data).not.toEqual(before.objective_tensors?.get(name)?.data);
    }
    expect([...after.optimizer.keys()].every((name) => name.includes('lora_'))).toBe(true);
  });

  it('begins as the base: B is zero, and A is uniform within 1 / sqrt(in)', async () => {
    const trainer = await trainerOf({ model });
    const base = await trainerOf({ model, stage: null, from: await trainer.state() });
    const [first] = await take(trainer, 1);
    const [expected] = await take(base, 1);
    // The arrays that it started from are not kept in memory.
    expect(base.options.from).toBeNull();
    base.dispose();
    trainer.dispose();
    expect(first).toBe(expected);
    const untrained = await trainerOf({ model });
    for (const [name, { shape, data }] of (await untrained.state()).objective_tensors ?? []) {
      const largest = Math.max(...data.map(Math.abs));
      if (name.includes('lora_B')) expect(largest).toBe(0);
      else expect(largest * Math.sqrt(shape[0] ?? NaN)).toBeCloseTo(1, 1);
    }
    untrained.dispose();
  });

  it('merges into weights that compute the same', async () => {
    const trainer = await trainerOf({ model });
    await take(trainer, 20);
    const state = await trainer.state();
    const { peft } = stageOf();
    const { objective_tensors: adapters = new Map<string, ObjectiveTensor>() } = state;
    const merged = mergeAdapters(trainer.model, state.parameters, adapters, loraScale(peft));
    const whole = await trainerOf({ model, stage: null, from: { ...state, parameters: merged } });
    const [adapted, plain] = [await trainer.evaluate(nothing), await whole.evaluate(nothing)];
    const tolerance = { atol: 0, rtol: 2e-6 };
    expect(
      closeness([adapted.metrics['val/loss'] ?? NaN], [plain.metrics['val/loss'] ?? 0], tolerance),
    ).toMatchObject({ ok: true });
    expect(await generated(trainer)).toEqual(await generated(whole));
    expect(await generated(whole, merged)).toEqual(await generated(whole));
    expect(await generated(whole, state.parameters)).not.toEqual(await generated(whole));
    trainer.dispose();
    whole.dispose();
  });

  it('resumes bit for bit, dropout of the adapters included', async () => {
    const stage = stageOf({ lora_dropout: 0.3, r: 3 });
    const whole = await trainerOf({ model, stage });
    const losses = await take(whole, 6);
    const first = await trainerOf({ model, stage });
    await take(first, 3);
    const second = await trainerOf({ model, stage, from: await first.state() });
    expect(await take(second, 3)).toEqual(losses.slice(3));
    expect(await second.state()).toEqual(await whole.state());
    const without = await trainerOf({ model, stage: stageOf({ r: 3 }) });
    expect((await take(without, 2))[1]).not.toBe(losses[1]);
    for (const trainer of [whole, first, second, without]) trainer.dispose();
  });
});

it('keeps the base in float32 where float16 is asked for, with the same bits', async () => {
  const whole = await trainerOf();
  const asked = await trainerOf({ stage: stageOf({ dtype: 'float16' }) });
  expect(await take(asked, 3)).toEqual(await take(whole, 3));
  expect(await asked.state()).toEqual(await whole.state());
  for (const trainer of [whole, asked]) trainer.dispose();
});

const nothing = (): Promise<void> => Promise.resolve();

it.each([
  ['attention', ['attn.c_attn', 'attn.c_proj']],
  ['mlp', ['mlp.c_fc', 'mlp.c_proj']],
] as const)('adapts only the layers of %s if asked to', async (target_modules, layers) => {
  const trainer = await trainerOf({ stage: stageOf({ target_modules }) });
  const losses = await take(trainer, 10);
  const { objective_tensors } = await trainer.state();
  trainer.dispose();
  const expected = [0, 1].flatMap((layer) =>
    layers.flatMap((module) =>
      ['A', 'B'].map(
        (half) => `base_model.model.transformer.h.${layer}.${module}.lora_${half}.weight`,
      ),
    ),
  );
  expect([...(objective_tensors?.keys() ?? [])].sort()).toEqual(expected.sort());
  expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
});

it('trains the head that an objective adds, beside the adapters', async () => {
  const trainer = await trainerOf({ objective: paired });
  const before = await trainer.state();
  await take(trainer, 5);
  const after = await trainer.state();
  trainer.dispose();
  expect(after.objective_tensors?.get('score.weight')?.data).not.toEqual(
    before.objective_tensors?.get('score.weight')?.data,
  );
  expect(after.parameters).toEqual(before.parameters);
});

describe('the reference of a run with adapters', () => {
  it('takes no memory of its own', async () => {
    const memory = (): number => deviceMemory()?.allocated ?? NaN;
    const held = async (changes: Changes): Promise<number> => {
      const before = memory();
      const trainer = await trainerOf(changes);
      const bytes = memory() - before;
      trainer.dispose();
      return bytes;
    };
    const model = { n_embd: 64, n_inner: 256 };
    const weights = listParameters(resolveModel(configOf(model).model, VOCAB)).reduce(
      (sum, { shape }) => sum + 4 * shape.reduce((product, size) => product * size, 1),
      0,
    );
    const copied =
      (await held({ model, objective: referenced, stage: null })) -
      (await held({ model, objective: pretrain, stage: null }));
    const shared =
      (await held({ model, objective: referenced })) - (await held({ model, objective: pretrain }));
    expect(copied).toBeGreaterThan(weights);
    expect(shared).toBeLessThan(0.5 * weights);
  });

  it('does not change by a bit, while the run does', async () => {
    const scored: SourceContext[] = [];
    const source = (context: SourceContext) => {
      scored.push(context);
      return referenced.source(context);
    };
    const trainer = await trainerOf({ objective: { ...referenced, source } });
    const [context] = scored;
    const [batch] = context ? await pretrain.source(context).evaluation() : [];
    if (!context || !batch) throw new Error('The source got no programs.');
    const { programs } = context;
    const before = await programs.referenceLogps(batch);
    expect(await programs.logps(batch)).toEqual(before);
    await take(trainer, 10);
    expect(await programs.referenceLogps(batch)).toEqual(before);
    expect(await programs.logps(batch)).not.toEqual(before);
    trainer.dispose();
  });
});
