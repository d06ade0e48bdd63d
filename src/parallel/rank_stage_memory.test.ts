/** Memory of ranks after pretraining on the engine in Node: planned against allocated, and ZeRO-3. */
import { beforeAll, expect, test } from 'vitest';
import { type Mesh, ONE_RANK, placeOf } from '../common/index.ts';
import { resolveModel, type RunConfig } from '../config/index.ts';
import type { StageInput } from '../config/stage/index.ts';
import { labProblems } from '../plan/parallel/lab_check.ts';
import { meshName } from '../plan/parallel/mesh.ts';
import { type StageRun, stageRankMemory } from '../plan/parallel/stage_rank_memory.ts';
import { trainingOf } from '../plan/parallel/training.ts';
import { startEngine } from '../testing/node_engine.ts';
import { pairsData, toyPairs } from '../testing/toy_pairs.ts';
import { reversalData, toyRlOptions } from '../testing/toy_rl.ts';
import type { RankTrainer } from './rank_trainer.ts';
import { trainRanks } from './testing_ranks.ts';

beforeAll(startEngine);

const TOLERANCE = 0.1;
const ROW_LENGTH = 16;
const VOCAB = 97;
const HELD_OUT = 8;

/** Prompts of 3 tokens with 13 for answers, examples and pairs. */
function data() {
  const all = reversalData();
  const { pairs } = pairsData(toyPairs(40, 1), toyPairs(8, 2), ROW_LENGTH);
  const prompts = { train: all.prompts.train, val: all.prompts.val.slice(0, HELD_OUT) };
  return { ...all, prompts, pairs, row_length: ROW_LENGTH };
}

const ANSWER = ROW_LENGTH - 3;
const GRPO: StageInput = {
  objective: 'grpo',
  grpo: { num_generations: 4, max_completion_length: ANSWER, beta: 0.05 },
};
const PPO: StageInput = {
  objective: 'ppo',
  ppo: { response_length: ANSWER, num_mini_batches: 2, num_ppo_epochs: 1 },
};
const LORA = { peft_type: 'lora', r: 8, lora_dropout: 0 } as const;

interface Arranged {
  stage: StageInput;
  layout: RunConfig['model']['layout'];
  mesh: Partial<Mesh>;
  training?: Partial<RunConfig['training']>;
  model?: Partial<RunConfig['model']>;
}

interface Held {
  name: string;
  planned: ReturnType<typeof stageRankMemory>;
  allocated: RankTrainer['memory'];
}

/** What each rank holds after a step and an evaluation, and what is planned. */
async function heldBy({
  stage,
  layout,
  mesh: changes,
  training,
  model,
}: Arranged): Promise<Held[]> {
  const mesh: Mesh = { ...ONE_RANK, ...changes };
  const activation_function = layout === 'llama' ? 'silu' : 'gelu_new';
  const shape = { n_layer: 4, n_embd: 64, block_size: 64, activation_function } as const;
  const prompts = stage.objective === 'grpo' ? 4 : 16;
  const options = await toyRlOptions({
    stage,
    data: data(),
    model: { ...shape, layout, ...model },
    training: { batch_size: prompts, gradient_accumulation_steps: 2, ...training },
  });
  const run: StageRun = {
    model: resolveModel(options.config.model, VOCAB),
    training: trainingOf(options.config),
    stage: options.stage,
    row_length: ROW_LENGTH,
    held_out_prompts: HELD_OUT,
  };
  const { objective } = options.stage;
  expect(labProblems(mesh, { ...run, training: options.config.training })).toEqual([]);
  const { memory } = await trainRanks({
    ...options,
    mesh,
    steps: 1,
    evaluate: true,
    vocab_size: VOCAB,
  });
  return memory.map((allocated, rank) => {
    const { pp: pp_rank, dp: dp_rank } = placeOf(mesh, rank);
    const planned = stageRankMemory(run, { mesh, pp_rank, dp_rank });
    const peft = stage.peft ? ', LoRA' : '';
    const name = `${objective}${peft}, ${layout}, ${meshName(mesh)}, rank ${rank}`;
    return { name, planned, allocated };
  });
}

const ZERO_3 = { dp: 2, zero_stage: 3 } as const;
const FULL = { activation_checkpointing: true };
const SELECTIVE = { ...FULL, recompute_granularity: 'selective' } as const;

const ARRANGED: readonly Arranged[] = [
  { stage: GRPO, layout: 'gpt2', mesh: { dp: 2 } },
  { stage: GRPO, layout: 'gpt2', mesh: ZERO_3, training: FULL },
  { stage: GRPO, layout: 'llama', mesh: { tp: 2 } },
  { stage: GRPO, layout: 'llama', mesh: { dp: 2, pp: 2 } },
  { stage: { ...GRPO, peft: LORA }, layout: 'gpt2', mesh: ZERO_3 },
  { stage: { ...GRPO, peft: LORA }, layout: 'llama', mesh: { dp: 2, zero_stage: 2 } },
  { stage: { ...GRPO, peft: LORA }, layout: 'llama', mesh: ZERO_3, training: SELECTIVE },
  { stage: { ...GRPO, peft: LORA }, layout: 'gpt2', mesh: { tp: 2 }, training: FULL },
  { stage: { ...GRPO, peft: LORA }, layout: 'llama', mesh: { pp: 2 } },
  { stage: PPO, layout: 'gpt2', mesh: { dp: 2, zero_stage: 1 } },
  { stage: PPO, layout: 'llama', mesh: ZERO_3 },
  { stage: PPO, layout: 'llama', mesh: { dp: 4, zero_stage: 2 }, training: FULL },
  { stage: PPO, layout: 'gpt2', mesh: { tp: 2 }, training: SELECTIVE },
  { stage: { ...PPO, peft: LORA }, layout: 'llama', mesh: { dp: 2, tp: 2, zero_stage: 3 } },
  { stage: { ...PPO, peft: LORA }, layout: 'gpt2', mesh: ZERO_3, training: FULL },
  { stage: PPO, layout: 'gpt2', mesh: ZERO_3, training: { batch_size: 2 } },
  { stage: PPO, layout: 'llama', mesh: { pp: 2 } },
];

const KINDS = ['weights', 'gradients', 'optimizer', 'activations', 'rollouts'] as const;
type Errors = Record<(typeof KINDS)[number], number>;

/** Planned over allocated bytes, minus 1. */
function errorsOf({ planned, allocated }: Held): Errors {
  const activations = planned.activations + planned.logits + planned.temporaries;
  return {
    weights: planned.weights / allocated.weights - 1,
    gradients: planned.gradients / allocated.gradients - 1,
    optimizer: planned.optimizer / allocated.optimizer - 1,
    activations: activations / (allocated.programs + allocated.scratch) - 1,
    rollouts: planned.rollouts / (allocated.rollouts + allocated.gathered) - 1,
  };
}

test('memory of ranks that train GRPO and PPO is planned within 10 per cent', async () => {
  const all: { name: string; errors: Errors }[] = [];
  for (const arranged of ARRANGED)
    for (const held of await heldBy(arranged)) {
      all.push({ name: held.name, errors: errorsOf(held) });
    }
  const sizeOf = (errors: Errors, kind: keyof Errors): number => Math.abs(errors[kind]);
  const worst = KINDS.map((kind) => {
    const [first] = [...all].sort((a, b) => sizeOf(b.errors, kind) - sizeOf(a.errors, kind));
    return `${kind}: ${(100 * (first?.errors[kind] ?? NaN)).toFixed(1)} %, ${first?.name}`;
  });
  console.log(`The worst of ${all.length} ranks:\n${worst.join('\n')}`);
  const isWithin = (errors: Errors): boolean =>
    KINDS.every((kind) => sizeOf(errors, kind) < TOLERANCE);
  expect(all.length).toBeGreaterThan(30);
  expect(all.filter(({ errors }) => !isWithin(errors))).toEqual([]);
}, 60_000);

test.each([
  ['the base of adapters', { objective: 'sft', peft: LORA }],
  ['the reference of DPO', { objective: 'dpo' }],
  ['the reference and the reward model of PPO', PPO],
] as const)('under ZeRO-3 each of 4 ranks holds a quarter of %s', async (_, stage) => {
  const model = { n_layer: 2 };
  const [oneRank] = await heldBy({ stage, layout: 'gpt2', mesh: {}, model });
  const ranks = await heldBy({ stage, layout: 'gpt2', mesh: { dp: 4, zero_stage: 3 }, model });
  for (const { allocated, planned } of ranks) {
    const share = allocated.weights / (oneRank?.allocated.weights ?? NaN);
    expect(share).toBeLessThanOrEqual(1.1 / 4);
    expect(planned.weights / allocated.weights).toBeCloseTo(1, 1);
  }
});
