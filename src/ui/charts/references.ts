/** Dashed reference lines of a chart. */
import { useMemo } from 'react';
import { useRun } from '../context.tsx';
import type { ChartSpec } from './catalogue.ts';

export interface Reference {
  y: number;
  label: string;
  /** What the line means, in one sentence. */
  help: string;
}

const RANDOM = {
  label: 'random guess',
  help: 'The loss of a model that finds every token equally likely (a uniform guess).',
};
const BIGRAM = {
  label: 'bigram model',
  help:
    'The loss of a simple model that only counts which token follows which. Below this line, ' +
    'the model has learned more than pairs.',
};
const PLANNED = {
  label: 'planned',
  help: 'The memory that the page calculated for this recipe before the run.',
};

const referenceAt = (y: number | null, reference: Omit<Reference, 'y'>): Reference[] =>
  y === null ? [] : [{ y, ...reference }];

export function useReferences({ references }: ChartSpec): Reference[] {
  const uniform = useRun((state) => state.data?.uniform_loss ?? null);
  const bigram = useRun((state) => state.data?.bigram_loss ?? null);
  const planned = useRun((state) => state.planned_bytes);
  const isStage = useRun((state) => state.stage !== null);
  return useMemo(() => {
    switch (references) {
      case 'baselines':
        // They are of a text, which a stage does not have.
        if (isStage) return [];
        return [...referenceAt(uniform, RANDOM), ...referenceAt(bigram, BIGRAM)];
      case 'plan':
        return planned > 0 ? referenceAt(planned, PLANNED) : [];
      case undefined:
        return [];
      default:
        return references satisfies never;
    }
  }, [references, uniform, bigram, planned, isStage]);
}
