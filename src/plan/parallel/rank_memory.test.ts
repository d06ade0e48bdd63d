import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../../config/index.ts';
import { planMemory } from '../memory.ts';
import { countParameters } from '../parameters.ts';
import { rankMemory } from './rank_memory.ts';
import { LAYOUTS, meshOf, modelOf, published, trainingWith } from './testing_models.ts';
import type { ZeroStage } from './mesh.ts';
import { trainingOf } from './training.ts';

const GIGA = 1e9;

describe.each(LAYOUTS)('one rank of %s', (_name, model) => {
  it.each(['no', 'fp16'] as const)(
    'has the plan of a run of this page (precision %s)',
    (precision) => {
      const config = defaultConfig();
      Object.assign(config.training, { mixed_precision: precision });
      for (const recomputation of [
        { activation_checkpointing: false },
        { activation_checkpointing: true },
        { activation_checkpointing: true, recompute_granularity: 'selective' },
      ]) {
        Object.assign(config.training, recomputation);
        const plan = planMemory(model, config);
        const memory = rankMemory(model, trainingOf(config), { mesh: meshOf({}), pp_rank: 0 });
        expect(memory.activations + memory.temporaries).toBe(plan.activations);
        expect(memory.logits).toBe(plan.logits);
        expect(memory.inputs).toBe(plan.inputs);
        // The plan of a run estimates the alignment of tensors.
        const total = plan.total - plan.cache;
        expect(Math.abs(memory.total / total - 1)).toBeLessThan(0.005);
      }
    },
  );
});

describe('the model states of 7 billion parameters', () => {
  const model = published('llama_2_7b');
  const parameters = countParameters(model).total;
  const bytesPerParameter = (zero_stage: ZeroStage, dp: number): number => {
    const training = trainingWith({ precision: 'mixed', batch_size: dp });
    const mesh = meshOf({ dp, zero_stage });
    const { weights, gradients, optimizer } = rankMemory(model, training, { mesh, pp_rank: 0 });
    return (weights + gradients + optimizer) / parameters;
  };

  it('take 16 bytes a parameter, of 7 billion 112 GB, of which 14 GB are float16 weights', () => {
    expect(bytesPerParameter(0, 1)).toBeCloseTo(16, 6);
    expect((bytesPerParameter(0, 1) * 7e9) / GIGA).toBeCloseTo(112, 6);
    const training = trainingWith({ precision: 'mixed' });
    const { weights } = rankMemory(model, training, { mesh: meshOf({}), pp_rank: 0 });
    expect(((weights / parameters) * 7e9) / GIGA).toBeCloseTo(14, 6);
  });

  it.each([2, 8, 64])('take 4 + 12/N, 2 + 14/N and 16/N under ZeRO-1, 2 and 3 (N = %d)', (n) => {
    expect(bytesPerParameter(0, n)).toBeCloseTo(16, 6);
    expect(bytesPerParameter(1, n)).toBeCloseTo(4 + 12 / n, 6);
    expect(bytesPerParameter(2, n)).toBeCloseTo(2 + 14 / n, 6);
    expect(bytesPerParameter(3, n)).toBeCloseTo(16 / n, 6);
  });
});

it('plans the moments of each optimizer', () => {
  const model = modelOf({});
  const optimizerBytes = (changes: Parameters<typeof trainingWith>[0]): number =>
    rankMemory(model, trainingWith(changes), { mesh: meshOf({}), pp_rank: 0 }).optimizer;
  const weights = 4 * countParameters(model).total;
  expect(optimizerBytes({ optimizer: 'adamw' })).toBe(2 * weights);
  expect(optimizerBytes({ optimizer: 'sgd' })).toBe(weights);
  expect(optimizerBytes({ optimizer: 'sgd', momentum: 0 })).toBe(0);
  expect(optimizerBytes({ optimizer: 'muon' })).toBeLessThan(2 * weights);
  expect(optimizerBytes({ optimizer: 'sgd', momentum: 0, precision: 'mixed' })).toBe(weights);
});

// What this page gathers is measured (`parallel/rank_memory.test.ts`).
it('gathers two units of weights and one of gradients under ZeRO-3 with mixed precision, as FSDP does', () => {
  const model = modelOf({ n_layer: 8, n_embd: 128, tie_word_embeddings: false });
  const block = 12 * 128 * 128 + 13 * 128;
  const temporaries = (zero_stage: ZeroStage): number => {
    const mesh = meshOf({ dp: 4, zero_stage });
    const training = trainingWith({ precision: 'mixed' });
    return rankMemory(model, training, { mesh, pp_rank: 0 }).temporaries;
  };
  expect(temporaries(1)).toBe(temporaries(0));
  expect(temporaries(2) - temporaries(0)).toBe(2 * block);
  expect(temporaries(3) - temporaries(0)).toBe(2 * block + 2 * 2 * block);
});

it('holds a quarter of weights, gradients and moments on each of 4 ranks under ZeRO-3', () => {
  const model = modelOf({ n_layer: 8 });
  const stores = (dp: number, zero_stage: ZeroStage): number => {
    const placement = { mesh: meshOf({ dp, zero_stage }), pp_rank: 0 };
    const { weights, gradients, optimizer } = rankMemory(model, trainingWith(), placement);
    return weights + gradients + optimizer;
  };
  expect(stores(4, 3)).toBe(stores(1, 0) / 4);
});

it('has kinds that add up to the total', () => {
  const mesh = meshOf({ dp: 2, tp: 2, pp: 2, zero_stage: 2 });
  const training = trainingWith({ precision: 'mixed', gradient_accumulation_steps: 4 });
  const { total, ...kinds } = rankMemory(modelOf({}), training, { mesh, pp_rank: 1 });
  expect(Object.values(kinds).reduce((a, b) => a + b, 0)).toBe(total);
});
