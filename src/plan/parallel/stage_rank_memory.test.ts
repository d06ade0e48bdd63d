import { describe, expect, it } from 'vitest';
import { defaultConfig, resolveModel } from '../../config/index.ts';
import { parseStage, type StageInput } from '../../config/stage/index.ts';
import { planStageMemory } from '../stage_memory.ts';
import { LINKS } from './fleets.ts';
import { type Mesh, ONE_RANK } from './mesh.ts';
import { searchMeshes } from './search.ts';
import { STAGE_MODELS, stageRankMemory } from './stage_rank_memory.ts';
import { trainingOf } from './training.ts';

const vocab_size = 512;
const config = defaultConfig();
Object.assign(config.model, {
  layout: 'llama',
  activation_function: 'silu',
  n_layer: 8,
  n_head: 8,
  n_embd: 256,
  block_size: 128,
});
Object.assign(config.training, { batch_size: 8, gradient_accumulation_steps: 2 });
const model = resolveModel(config.model, vocab_size);
const training = trainingOf(config);
const LORA = { peft_type: 'lora' } as const;

function planned(stage: StageInput, mesh: Partial<Mesh> = {}) {
  const run = { model, training, stage: parseStage(stage), row_length: model.block_size };
  return stageRankMemory(run, { mesh: { ...ONE_RANK, ...mesh }, pp_rank: 0 });
}

const STAGES: readonly StageInput[] = [
  { objective: 'dpo' },
  { objective: 'sft', peft: LORA },
  { objective: 'grpo', grpo: { beta: 0.1 } },
  { objective: 'ppo' },
  { objective: 'ppo', peft: LORA },
];

describe('memory of a rank after pretraining', () => {
  it.each(STAGES)('of one rank is that of one device: %o', (stage) => {
    const device = planStageMemory(config, parseStage(stage), { vocab_size });
    const { models, ...rank } = planned(stage);
    const { policy, adapters, value_model, reward_model, reference } = models;
    const { gradients, optimizer, logits } = rank;
    const pairs = [
      [policy, device.base],
      [adapters, device.adapters],
      [value_model, device.value_model],
      [reward_model, device.reward_model],
      [reference, device.reference],
      [gradients, device.gradients],
      [optimizer, device.optimizer],
      [logits, device.logits],
    ] as const;
    for (const [bytes, expected] of pairs) expect(bytes).toBeCloseTo(expected, -3);
    const activations = rank.activations + rank.temporaries;
    expect(Math.abs(activations / device.activations - 1)).toBeLessThan(0.05);
  });

  it.each(STAGES)('has a quarter of every model on each of 4 ranks under ZeRO-3: %o', (stage) => {
    const whole = planned(stage, { dp: 4, zero_stage: 2 });
    const shared = planned(stage, { dp: 4, zero_stage: 3 });
    for (const name of STAGE_MODELS) {
      expect(4 * shared.models[name], name).toBeCloseTo(whole.models[name]);
    }
    expect(4 * shared.weights).toBeCloseTo(whole.weights);
  });

  it('gathers the model while ranks sample, where none has all of it', () => {
    // Prompts of one token, which are read in the scratch that a step needs anyway.
    const grpo = { max_completion_length: model.block_size - 1 };
    const stage: StageInput = { objective: 'grpo', grpo };
    const whole = planned(stage, { dp: 2, zero_stage: 2 });
    for (const mesh of [{ dp: 2, zero_stage: 3 }, { tp: 2 }, { pp: 2 }] as const) {
      const { rollouts } = planned(stage, mesh);
      expect(rollouts - whole.rollouts, JSON.stringify(mesh)).toBe(planned(stage).models.policy);
    }
    expect(planned({ objective: 'dpo' }, { tp: 2 }).rollouts).toBe(0);
  });

  it('is what a search goes by', () => {
    const speeds = { device: { flops_per_second: 1e12, step_overhead_ms: 1 }, link: LINKS[0]! };
    const job = { model, training, stage: parseStage({ objective: 'ppo' }) };
    const needed = planned({ objective: 'ppo' }, { dp: 4, zero_stage: 3 }).total;
    const found = searchMeshes(job, { ranks: 4, bytes_per_rank: needed }, speeds);
    expect(found.best?.plan.peak_bytes).toBeLessThanOrEqual(needed);
    expect(found.best?.plan.ranks[0]?.models?.reward_model).toBeGreaterThan(0);
  });
});
