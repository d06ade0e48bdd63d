import { describe, expect, it } from 'vitest';
import {
  defaultConfig,
  recomputeGranularity,
  resolveModel,
  type RunConfig,
} from '../config/index.ts';
import { parseStage, type StageInput } from '../config/stage/index.ts';
import { fitsFloat16, Float16Storage } from '../model/frozen_float16.ts';
import { listParameters, loraParameters, parameterSize } from '../model/index.ts';
import { settleRun } from '../run/index.ts';
import { float16Values } from './float16.ts';
import { planRun } from './index.ts';
import { planStage, proposeRun, proposeStage, stagePlanner, stageSeconds } from './stage.ts';
import { adapterParameters } from './stage_memory.ts';

const MB = 1e6;
/** SmolLM2-135M with a context of 256 tokens, batches of four rows. */
const smol = (training: Partial<RunConfig['training']> = {}): RunConfig => {
  const config = defaultConfig();
  Object.assign(config.model, {
    layout: 'llama',
    activation_function: 'silu',
    n_layer: 30,
    n_head: 9,
    n_kv_head: 3,
    n_embd: 576,
    n_inner: 1536,
    block_size: 256,
  });
  Object.assign(config.training, { batch_size: 4 }, training);
  return config;
};
const vocab_size = 49152;
const facts = { vocab_size, max_binding_size: 2 ** 30 };
const lora = { peft_type: 'lora' } as const;
const plan = (stage: StageInput, config = smol()) => planStage(config, parseStage(stage), facts);

describe('the memory of a stage', () => {
  it.each(['gpt2', 'llama'] as const)('counts the adapters of the layout %s', (layout) => {
    const model = resolveModel({ ...smol().model, layout, n_kv_head: 0, head_dim: 0 }, 50);
    for (const target_modules of ['all-linear', 'attention', 'mlp'] as const) {
      const shape = { r: 8, target_modules };
      const listed = loraParameters(model, shape).reduce((sum, one) => sum + parameterSize(one), 0);
      expect(adapterParameters(model, shape), target_modules).toBe(listed);
    }
  });

  it('has gradients and moments only of what trains', () => {
    const full = plan({ objective: 'sft' });
    const adapted = plan({ objective: 'sft', peft: lora });
    const n = listParameters(resolveModel(smol().model, vocab_size)).reduce(
      (sum, one) => sum + parameterSize(one),
      0,
    );
    expect(full.kinds).toMatchObject({ base: 4 * n, gradients: 4 * n, adapters: 0, reference: 0 });
    expect(adapted.kinds.base).toBe(full.kinds.base);
    expect(adapted.kinds.gradients).toBe(adapted.kinds.adapters);
    expect(adapted.kinds.optimizer).toBe(2 * adapted.kinds.adapters);
    expect(adapted.n_trainable).toBeLessThan(0.02 * n);
    expect(adapted.kinds.total).toBeLessThan(0.6 * full.kinds.total);
    expect(adapted.kinds.total).toBeLessThan(2000 * MB);
  });

  it.each(['gpt2', 'llama'] as const)('counts what float16 holds of the layout %s', (layout) => {
    for (const tie_word_embeddings of [true, false]) {
      const asked = { ...smol().model, layout, n_kv_head: 0, head_dim: 0, tie_word_embeddings };
      const model = resolveModel(asked, 50);
      const listed = listParameters(model).filter(fitsFloat16);
      const values = listed.reduce((sum, one) => sum + parameterSize(one), 0);
      expect(float16Values(model)).toBe(values);
    }
  });

  it('halves the frozen weights in float16, and nothing else', () => {
    const whole = plan({ objective: 'ppo', peft: lora });
    const halved = plan({ objective: 'ppo', peft: { ...lora, dtype: 'float16' } });
    for (const model of ['base', 'reward_model'] as const) {
      expect(halved.kinds[model] / whole.kinds[model], model).toBeGreaterThan(0.5);
      expect(halved.kinds[model] / whole.kinds[model], model).toBeLessThan(0.501);
    }
    const { base, reward_model, total } = whole.kinds;
    const { base: halvedBase, reward_model: halvedReward } = halved.kinds;
    const saved = base - halvedBase + reward_model - halvedReward;
    expect(halved.kinds).toEqual({
      ...whole.kinds,
      base: halvedBase,
      reward_model: halvedReward,
      total: total - saved,
    });
    expect(halved.disk_bytes).toBe(whole.disk_bytes);
    // All weights train without LoRA, so none can be kept so.
    expect(plan({ objective: 'sft', peft: { dtype: 'float16' } }).kinds).toEqual(
      plan({ objective: 'sft' }).kinds,
    );
  });

  it('counts the values from before rounding, which stay in the memory of JavaScript', () => {
    const small = { n_layer: 2, n_head: 2, n_kv_head: 0, head_dim: 0, n_embd: 16, n_inner: 0 };
    const config = { ...smol(), model: { ...smol().model, ...small } };
    const storage = new Float16Storage({ keeps_originals: true });
    for (const parameter of listParameters(resolveModel(config.model, 50))) {
      storage.specOf(parameter);
      storage.keep(parameter.name, new Float32Array(parameterSize(parameter)).fill(1 / 3));
    }
    const hostBytes = (stage: StageInput): number =>
      planStage(config, parseStage(stage), { vocab_size: 50 }).host_bytes;
    const half = { ...lora, dtype: 'float16' } as const;
    expect(hostBytes({ peft: half })).toBe(storage.bytes);
    expect(hostBytes({ objective: 'ppo', peft: half })).toBe(2 * storage.bytes);
    expect(hostBytes({ objective: 'ppo', ppo: { score: 'task' }, peft: half })).toBe(storage.bytes);
    expect(hostBytes({ peft: lora })).toBe(0);
    expect(hostBytes({ peft: { dtype: 'float16' } })).toBe(0);
  });

  it('has a reference for DPO, and none with LoRA', () => {
    expect(plan({ objective: 'dpo' }).kinds.reference).toBe(plan({ objective: 'dpo' }).kinds.base);
    expect(plan({ objective: 'dpo', peft: lora }).kinds.reference).toBe(0);
    expect(plan({ objective: 'grpo' }).kinds.reference).toBe(0);
    expect(plan({ objective: 'grpo', grpo: { beta: 0.1 } }).kinds.reference).toBeGreaterThan(0);
  });

  it('has the four models of PPO, two of which train', () => {
    const { kinds, n_trainable, n_params } = plan({ objective: 'ppo' });
    for (const model of ['value_model', 'reward_model', 'reference'] as const) {
      expect(kinds[model] / kinds.base, model).toBeCloseTo(1, 4);
    }
    expect(n_trainable / n_params).toBeCloseTo(0.5, 4);
    expect(plan({ objective: 'ppo', ppo: { score: 'task' } }).kinds.reward_model).toBe(0);
    expect(kinds.activations).toBeGreaterThan(1.5 * plan({ objective: 'sft' }).kinds.activations);
  });

  it('counts a pair as two rows, answers as a row each, and rows as long as the longest example', () => {
    const pairs = plan({ objective: 'reward' });
    const { tokens_per_step } = plan({ objective: 'sft' });
    expect(pairs.tokens_per_step).toBe(2 * tokens_per_step);
    const { kinds, ...answers } = plan({ objective: 'grpo', grpo: { num_generations: 4 } });
    expect(answers.tokens_per_step).toBe(4 * tokens_per_step);
    expect(kinds.activations).toBeGreaterThan(3 * plan({ objective: 'sft' }).kinds.activations);
    const short = planStage(smol(), parseStage({ objective: 'sft' }), { ...facts, row_length: 64 });
    expect(short.tokens_per_step).toBe(tokens_per_step / 4);
    expect(short.kinds.activations).toBeLessThan(
      0.5 * plan({ objective: 'sft' }).kinds.activations,
    );
  });

  it('adds up, and is what settleRun reports for a stage', () => {
    const stage = parseStage({ objective: 'ppo', peft: lora });
    const { kinds, memory } = planStage(smol(), stage, facts);
    const { total, ...others } = kinds;
    expect(Object.values(others).reduce((a, b) => a + b, 0)).toBe(total);
    expect(memory.total).toBe(total);
    const settled = settleRun(smol(), { vocab_size }, null, stagePlanner(stage));
    expect(settled.plan.memory.gradients).toBe(kinds.gradients);
    const limits = { memory_bytes: 4000 * MB };
    expect(settleRun(smol(), { vocab_size }, limits).problems).toEqual([]);
    expect(settleRun(smol({ batch_size: 64 }), { vocab_size }, limits).problems[0]?.code).toBe(
      'does_not_fit_device',
    );
  });
});

describe('a proposal', () => {
  it('changes nothing that fits, or whose memory is unknown', () => {
    const stage = parseStage({ objective: 'sft' });
    for (const memory_bytes of [0, 80_000 * MB]) {
      const proposal = proposeStage(smol(), stage, { ...facts, memory_bytes });
      expect(proposal).toMatchObject({ changes: [], fits: true });
    }
  });

  it('recomputes selectively, accumulates the same rows, recomputes blocks, then shortens the context', () => {
    const stage = parseStage({ objective: 'sft', peft: lora });
    const requested = smol({ batch_size: 64 });
    const seen = new Set<string>();
    for (const memory_bytes of [8000 * MB, 2000 * MB, 800 * MB, 700 * MB]) {
      const {
        config,
        plan: found,
        fits,
      } = proposeStage(requested, stage, { ...facts, memory_bytes });
      const { batch_size, gradient_accumulation_steps } = config.training;
      const recomputed = recomputeGranularity(config.training);
      expect(batch_size * gradient_accumulation_steps).toBe(64);
      expect(fits).toBe(found.memory.total <= 0.9 * memory_bytes);
      expect(batch_size).toBeLessThan(64);
      expect(recomputed).not.toBe('none');
      if (recomputed === 'full') expect(batch_size).toBe(1);
      seen.add(`${batch_size} ${recomputed} ${config.model.block_size}`);
    }
    expect(seen.size).toBeGreaterThan(2);
  });

  it('only recomputes selectively where that is enough', () => {
    const stage = parseStage({ objective: 'sft' });
    const whole = planStage(smol(), stage, facts).memory.total;
    const memory_bytes = (0.97 * whole) / 0.9;
    expect(proposeStage(smol(), stage, { ...facts, memory_bytes })).toMatchObject({
      fits: true,
      changes: [
        ['training.activation_checkpointing', true],
        ['training.recompute_granularity', 'selective'],
      ],
    });
  });

  it('says that a model does not fit at all, and keeps room for the longest example', () => {
    const stage = parseStage({ objective: 'sft' });
    const tiny = { ...facts, row_length: 200, memory_bytes: 100 * MB };
    const { fits, config } = proposeStage(smol(), stage, tiny);
    expect(fits).toBe(false);
    expect(config.model.block_size).toBeGreaterThanOrEqual(200);
  });

  it('brings the whole training of SmolLM2-135M, with its own context, from 36 GB to 12', () => {
    const opened = smol({ batch_size: 16 });
    opened.model.block_size = 4096;
    expect(planRun(opened, facts).memory.total).toBeGreaterThan(30_000 * MB);
    const { plan: found, fits } = proposeRun(opened, { ...facts, memory_bytes: 12_000 * MB });
    expect(fits).toBe(true);
    expect(found.memory.total).toBeLessThan(12_000 * MB);
  });
});

describe('time and disk', () => {
  const speed = { flops_per_second: 1e13, step_overhead_ms: 1 };
  const seconds = (stage: StageInput) => stageSeconds(smol(), plan(stage), speed);

  it('LoRA takes two thirds of the arithmetic, and RL adds rollouts', () => {
    const full = plan({ objective: 'sft' });
    expect(plan({ objective: 'sft', peft: lora }).flops_per_step / full.flops_per_step).toBeCloseTo(
      2 / 3,
    );
    expect(seconds({ objective: 'grpo' })).toBeGreaterThan(1.5 * seconds({ objective: 'sft' }));
    expect(seconds({ objective: 'ppo' })).toBeGreaterThan(5 * seconds({ objective: 'sft' }));
  });

  it('a lineage keeps all weights in each of three checkpoints, and moments of what trains', () => {
    const { disk_bytes, kinds } = plan({ objective: 'sft', peft: lora });
    expect(disk_bytes).toBe(3 * (kinds.base + kinds.adapters + kinds.optimizer));
    expect(plan({ objective: 'sft' }).disk_bytes).toBeCloseTo(9 * kinds.base, -6);
  });
});
