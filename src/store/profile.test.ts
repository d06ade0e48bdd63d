import { expect, it } from 'vitest';
import { flopRate, profileRows, profileSentence } from './profile.ts';
import type { StepProfile } from '../protocol/index.ts';

const PROFILE: StepProfile = {
  step: 12,
  step_ms: 2.5,
  kernels: [],
  peak: { flops_per_second: 40e12, size: 2048 },
  kinds: [
    { kind: 'products', ms: 1.2, dispatches: 90, flops: 24e9 },
    { kind: 'attention', ms: 0.6, dispatches: 18, flops: null },
    { kind: 'optimizer', ms: 0.2, dispatches: 3, flops: null },
  ],
};

it('names what takes longest, its rate and its share of the peak', () => {
  expect(profileSentence(PROFILE)).toBe(
    'A step takes 2.50 ms. Matrix products take the most of it: 60% of the time of all kernels. ' +
      'Its products run at 20.0 TFLOP/s, 50% of the 40.0 TFLOP/s that a product of 2,048 × 2,048 reaches here.',
  );
  expect(profileRows(PROFILE)).toMatchObject([
    {
      title: 'Matrix products',
      micros: '1,200',
      dispatches: '90',
      rate: '20.0 TFLOP/s',
      of_peak: '50%',
    },
    { title: 'Attention', micros: '600', rate: '', of_peak: '' },
    { title: 'Optimizer' },
  ]);
  expect(
    profileSentence({
      ...PROFILE,
      kinds: [{ kind: 'attention', ms: 1, dispatches: 1, flops: null }],
    }),
  ).toBe('A step takes 2.50 ms. Attention takes the most of it: 100% of the time of all kernels.');
});

it('says rates in their unit', () => {
  expect([38.2e12, 812e9, 15.7e6].map(flopRate)).toEqual([
    '38.2 TFLOP/s',
    '812 GFLOP/s',
    '15.7 MFLOP/s',
  ]);
});

it('has the time of the step where the device tells no more', () => {
  expect(profileSentence({ ...PROFILE, kinds: null, peak: null })).toBe('A step takes 2.50 ms.');
  expect(profileRows({ ...PROFILE, kinds: null, peak: null })).toEqual([]);
});
