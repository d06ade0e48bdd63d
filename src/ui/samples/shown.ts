/** Which samples are shown: those of the step that the slider selects, or the newest. */
import { useMemo } from 'react';
import { axisValues, sampleSteps, type Axis, type Sample, type Stores } from '../../store/index.ts';
import { useSamples, useView } from '../context.tsx';

export interface ShownSamples {
  /** Steps that have samples, ascending. */
  steps: readonly number[];
  /** Index of the shown step; -1 while there are no samples. */
  index: number;
  /** The shown step, or null while there are no samples. */
  step: number | null;
  samples: readonly Sample[];
}

export function useShownSamples(): ShownSamples {
  const samples = useSamples();
  const selected = useView((state) => state.sampleStep);
  return useMemo(() => shownSamples(samples, selected), [samples, selected]);
}

/** `selected` is a step, or null for the newest. A step without samples selects the one before. */
export function shownSamples(samples: readonly Sample[], selected: number | null): ShownSamples {
  const steps = sampleSteps(samples);
  const after = selected === null ? -1 : steps.findIndex((step) => step > selected);
  const index = after < 0 ? steps.length - 1 : Math.max(0, after - 1);
  const step = steps[index] ?? null;
  return { steps, index, step, samples: samples.filter((sample) => sample.step === step) };
}

/** Shows the samples whose step is nearest to `x`, in the unit of the axis; the last are newest. */
export function selectSampleNear({ samples, table, view }: Stores, x: number, axis: Axis): void {
  const steps = sampleSteps(samples.getState().samples);
  const positions = axisValues(table, Float64Array.from(steps), axis);
  const distances = Array.from(positions, (position) => Math.abs(position - x));
  const index = distances.indexOf(Math.min(...distances));
  const isNewest = index === steps.length - 1;
  view.setState({ sampleStep: isNewest ? null : (steps[index] ?? null) });
}
