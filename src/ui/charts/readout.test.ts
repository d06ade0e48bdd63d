import { describe, expect, it } from 'vitest';
import { chartData, createView, MetricTable } from '../../store/index.ts';
import { chartSpecs } from './catalogue.ts';
import { readingsAt, type Drawn } from './Readout.tsx';

function table(length: number, loss: number): MetricTable {
  const step = Float64Array.from({ length }, (_, i) => i + 1);
  const made = new MetricTable();
  made.append({
    step,
    'train/loss': step.map(() => loss),
    'val/loss': step.map((at) => (at % 50 === 0 ? loss + 1 : NaN)),
  });
  return made;
}

function drawn(): Drawn {
  const [spec] = chartSpecs();
  if (!spec) throw new Error('There is no chart.');
  const overlays = new Map([['old', table(100, 3)]]);
  const view = createView().getState();
  const { rows } = chartData(table(200, 2), overlays, spec.series, view);
  return { spec, rows, domain: [0, 200], overlays: ['old'] };
}

const texts = (x: number): string[] =>
  readingsAt(drawn(), x, () => 'Names 1').map(({ label, text }) => `${label} ${text}`);

describe('the values under the crosshair', () => {
  it('are those of the run and of each overlaid run, validation included', () => {
    expect(texts(60)).toEqual([
      'train 2.00',
      'validation 3.00',
      'Names 1, train 3.00',
      'Names 1, validation 4.00',
    ]);
  });
  it('lack the training loss of an overlaid run that ended before', () => {
    expect(texts(150)).not.toContain('Names 1, train 3.00');
    expect(texts(150)).toContain('train 2.00');
  });
});
