/** Advantages, GAE, whitening, KL estimators and normalisers, against PyTorch where it has them. */
import { describe, expect, it } from 'vitest';
import { expectClose } from '../../testing/expect_close.ts';
import file from '../golden/rl_gpt2.json';
import { groupAdvantages } from './advantages.ts';
import { generalizedAdvantages } from './gae.ts';
import { adaptedCoefficient, klOf } from './kl.ts';
import { answerWeights } from './normalizers.ts';
import { whiten } from './whiten.ts';

const CLOSE = { atol: 1e-6, rtol: 1e-5 };

const grpoCases = file.cases.flatMap(({ name, answers, stage, parts }) =>
  stage.grpo ? [{ name, answers, grpo: stage.grpo, expected: parts.advantages.flat() }] : [],
);

it.each(grpoCases)("advantages are PyTorch's: $name", ({ name, answers, grpo, expected }) => {
  const rewards = answers.map(({ reward }) => reward);
  const scale = grpo.scale_rewards;
  if (scale !== 'group' && scale !== 'batch' && scale !== 'none') throw new Error(scale);
  const { advantages } = groupAdvantages(rewards, grpo.num_generations, scale);
  expectClose(advantages, expected, CLOSE, name);
});

const ppoCases = file.cases.flatMap(({ name, stage, parts }) => {
  const { token_rewards, old_values, estimates, returns } = parts;
  if (!stage.ppo || !token_rewards || !old_values || !estimates || !returns) return [];
  const whitened = parts.advantages.flat();
  return [{ name, ppo: stage.ppo, token_rewards, old_values, estimates, returns, whitened }];
});

it.each(ppoCases)("GAE and whitening are PyTorch's: $name", (one) => {
  const made = one.token_rewards.map((rewards, i) =>
    generalizedAdvantages(rewards, one.old_values[i] ?? [], one.ppo),
  );
  made.forEach(({ advantages, returns }, i) => {
    expectClose(advantages, one.estimates[i] ?? [], CLOSE, 'advantages');
    expectClose(returns, one.returns[i] ?? [], CLOSE, 'returns');
  });
  const whitened = whiten(made.map(({ advantages }) => advantages)).flatMap((row) => [...row]);
  expectClose(whitened, one.whitened, CLOSE, 'whitened advantages');
});

describe('groupAdvantages', () => {
  it('has no signal in a group of equal rewards', () => {
    const { advantages, no_signal } = groupAdvantages([1, 1, 0, 1], 2, 'group');
    expect([...advantages.slice(0, 2)]).toEqual([0, 0]);
    expect(no_signal).toEqual([true, false]);
  });

  it('does not depend on the order of groups and of answers', () => {
    const forward = groupAdvantages([0.1, 0.7, 0.4, 1, 0, 0.5], 3, 'batch').advantages;
    const backward = groupAdvantages([0.5, 0, 1, 0.4, 0.7, 0.1], 3, 'batch').advantages;
    expectClose(backward.toReversed(), forward, CLOSE, 'advantages');
  });
});

describe('whiten', () => {
  it('keeps the mean if asked to, and a single value as it is', () => {
    const [row = new Float32Array()] = whiten([Float32Array.of(1, 3)], { keep_mean: true });
    expectClose(row, [2 - Math.SQRT1_2, 2 + Math.SQRT1_2], CLOSE, 'whitened');
    expect(whiten([Float32Array.of(5)])).toEqual([Float32Array.of(5)]);
  });
});

describe('KL estimators', () => {
  it('have the mean of the divergence of two distributions', () => {
    const policy = [0.5, 0.3, 0.2];
    const reference = [0.2, 0.2, 0.6];
    const kl = policy.reduce((sum, p, i) => sum + p * Math.log(p / (reference[i] ?? NaN)), 0);
    for (const estimator of ['k1', 'k3'] as const) {
      const mean = policy.reduce(
        (sum, p, i) => sum + p * klOf(estimator, Math.log(p), Math.log(reference[i] ?? NaN)),
        0,
      );
      expect(mean).toBeCloseTo(kl, 12);
    }
    expect(klOf('k3', -1, -3)).toBeGreaterThan(0);
    expect(klOf('k1', -3, -1)).toBe(-2);
  });

  it('change their coefficient by at most 2 per cent of it', () => {
    expect(adaptedCoefficient(0.05, 60, 6)).toBe(Math.fround(0.05 * 1.02));
    expect(adaptedCoefficient(0.05, 0, 6)).toBe(Math.fround(0.05 * 0.98));
    expect(adaptedCoefficient(0.05, 6, 6)).toBe(Math.fround(0.05));
  });
});

describe('answerWeights', () => {
  const lengths = [4, 2, 0, 6];
  const totals = (loss_type: 'grpo' | 'bnpo' | 'dapo' | 'dr_grpo', micro_batches: number) => {
    const options = { loss_type, max_completion_length: 8, micro_batches };
    const weights = answerWeights(lengths, options);
    return weights.map((weight, i) => weight * (lengths[i] ?? 0));
  };

  it('gives each answer, or each token, the same share', () => {
    expect(totals('grpo', 2)).toEqual([0.25, 0.25, 0, 0.25]);
    expectClose(totals('dapo', 2), [4 / 12, 2 / 12, 0, 6 / 12], CLOSE, 'dapo');
    expectClose(totals('dr_grpo', 2), [4 / 32, 2 / 32, 0, 6 / 32], CLOSE, 'dr_grpo');
    expectClose(totals('bnpo', 2), [4 / 12, 2 / 12, 0, 1 / 2], CLOSE, 'bnpo');
  });

  it('does not divide by 0 if every answer is masked', () => {
    for (const loss_type of ['grpo', 'bnpo', 'dapo', 'dr_grpo'] as const) {
      const options = { loss_type, max_completion_length: 8, micro_batches: 1 };
      expect(answerWeights([0, 0], options).every(Number.isFinite)).toBe(true);
    }
  });
});
