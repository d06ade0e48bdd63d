import { describe, expect, it } from 'vitest';
import { defaultConfig, type TrainingConfig } from '../config/index.ts';
import { learningRate } from './schedule.ts';

const schedule = (changes: Partial<TrainingConfig>): ((step: number) => number) => {
  const training = {
    ...defaultConfig().training,
    learning_rate: 1e-3,
    min_lr: 1e-4,
    warmup_iters: 4,
    lr_decay_iters: 12,
    max_iters: 20,
    ...changes,
  };
  return (step) => learningRate(training, step);
};

describe('learningRate', () => {
  it.each(['constant', 'linear', 'cosine', 'wsd'] as const)(
    'warms up linearly and is never zero: %s',
    (lr_schedule) => {
      const rates = [0, 1, 2, 3, 4].map(schedule({ lr_schedule }));
      [0.2e-3, 0.4e-3, 0.6e-3, 0.8e-3, 1e-3].forEach((expected, step) =>
        expect(rates[step]).toBeCloseTo(expected, 12),
      );
    },
  );

  it("follows nanoGPT's cosine", () => {
    const lr = schedule({ lr_schedule: 'cosine' });
    // A quarter, half and three quarters of the way from 1e-3 to 1e-4, a difference of 0.9e-3:
    // (1 + cos(pi/4)) / 2 = 0.8535534, 1/2 and 0.1464466 of it are left.
    expect(lr(6)).toBeCloseTo(1e-4 + 0.8535533906e-3 * 0.9, 12);
    expect(lr(8)).toBeCloseTo(5.5e-4, 12);
    expect(lr(10)).toBeCloseTo(1e-4 + 0.1464466094e-3 * 0.9, 12);
    expect([lr(12), lr(13), lr(1000)]).toEqual([1e-4, 1e-4, 1e-4]);
  });

  it('decays linearly to min_lr', () => {
    const lr = schedule({ lr_schedule: 'linear' });
    expect(lr(6)).toBeCloseTo(7.75e-4, 12);
    expect(lr(8)).toBeCloseTo(5.5e-4, 12);
    expect([lr(12), lr(99)]).toEqual([1e-4, 1e-4]);
  });

  it('wsd stays at the full rate, then decays over wsd_decay_fraction of the steps', () => {
    const lr = schedule({ lr_schedule: 'wsd', wsd_decay_fraction: 0.25 });
    expect([4, 7, 9].map(lr)).toEqual([1e-3, 1e-3, 1e-3]);
    expect(lr(10)).toBeCloseTo(7e-4, 12);
    expect(lr(11)).toBeCloseTo(4e-4, 12);
    expect(lr(12)).toBe(1e-4);
    expect(schedule({ lr_schedule: 'wsd', wsd_decay_fraction: 1 })(8)).toBeCloseTo(5.5e-4, 12);
    expect(schedule({ lr_schedule: 'wsd', wsd_decay_fraction: 0 })(11)).toBe(1e-3);
  });

  it('ignores min_lr with a constant schedule', () =>
    expect(schedule({ lr_schedule: 'constant' })(500)).toBe(1e-3));

  it('decays until max_iters if lr_decay_iters is 0', () =>
    expect(schedule({ lr_schedule: 'linear', lr_decay_iters: 0 })(12)).toBeCloseTo(5.5e-4, 12));

  it('goes to min_lr right after a warm-up as long as the decay', () =>
    expect(schedule({ lr_schedule: 'cosine', lr_decay_iters: 4 })(4)).toBe(1e-4));

  it('starts at the full rate without a warm-up', () =>
    expect(schedule({ lr_schedule: 'cosine', warmup_iters: 0 })(0)).toBe(1e-3));
});
