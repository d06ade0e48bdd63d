import { describe, expect, it } from 'vitest';
import { CHARTS, METRICS } from '../../common/index.ts';
import { chartSpecs, mainFirst } from './catalogue.ts';

describe('the first chart', () => {
  const specs = chartSpecs(METRICS, CHARTS);
  const firstOf = (objective?: string) => mainFirst(specs, objective)[0]?.id;

  it('is the loss where the loss says how good the model is', () => {
    expect([firstOf(), firstOf('pretrain'), firstOf('sft')]).toEqual(['loss', 'loss', 'loss']);
  });
  it('is the accuracy for a reward model, and no chart is lost', () => {
    expect(firstOf('reward')).toBe('accuracy');
    expect(mainFirst(specs, 'reward')).toHaveLength(specs.length);
  });
  it('stays the loss where the better chart is missing', () => {
    expect(firstOf('grpo')).toBe('loss');
  });
});
