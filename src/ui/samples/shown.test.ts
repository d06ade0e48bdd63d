import { describe, expect, it } from 'vitest';
import { createStores, type Sample } from '../../store/index.ts';
import { selectSampleNear, shownSamples } from './shown.ts';

const sample = (step: number, prompt = ''): Sample => ({
  step,
  prompt,
  tokens: [],
  memorized: false,
});
const SAMPLES = [sample(0), sample(50), sample(50, 'A'), sample(100)];

describe('shownSamples', () => {
  it('are the newest without a selection', () => {
    expect(shownSamples(SAMPLES, null)).toMatchObject({ step: 100, index: 2, steps: [0, 50, 100] });
  });
  it('are all samples of the selected step', () => {
    expect(shownSamples(SAMPLES, 50).samples).toEqual([sample(50), sample(50, 'A')]);
  });
  it('are those of the step before if the selected one was thinned out', () => {
    expect(shownSamples(SAMPLES, 99).step).toBe(50);
    expect(shownSamples(SAMPLES, -1).step).toBe(0);
  });
  it('are none before the first sample', () => {
    expect(shownSamples([], 20)).toEqual({ steps: [], index: -1, step: null, samples: [] });
  });
});

describe('selectSampleNear', () => {
  const stores = createStores();
  stores.samples.setState({ samples: SAMPLES });
  stores.table.append({ step: Float64Array.of(50, 100), tokens: Float64Array.of(500, 1000) });
  const selected = (x: number, axis: 'step' | 'tokens'): number | null => {
    selectSampleNear(stores, x, axis);
    return stores.view.getState().sampleStep;
  };
  it('selects the step nearest to a position on the axis', () => {
    expect(selected(60, 'step')).toBe(50);
    expect(selected(200, 'tokens')).toBe(0);
  });
  it('follows the newest samples again if those are selected', () => {
    expect(selected(990, 'tokens')).toBe(null);
  });
});
