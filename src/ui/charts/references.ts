/** Dashed reference lines of a chart. */
import { useMemo } from 'react';
import { useRun } from '../context.tsx';
import type { ChartSpec } from './catalogue.ts';

export interface Reference {
  y: number;
  label: string;
}

const referenceAt = (y: number | null, label: string): Reference[] =>
  y === null ? [] : [{ y, label }];

export function useReferences({ references }: ChartSpec): Reference[] {
  const uniform = useRun((state) => state.data?.uniform_loss ?? null);
  const bigram = useRun((state) => state.data?.bigram_loss ?? null);
  const planned = useRun((state) => state.planned_bytes);
  return useMemo(() => {
    switch (references) {
      case 'baselines':
        return [...referenceAt(uniform, 'random guess'), ...referenceAt(bigram, 'bigram model')];
      case 'plan':
        return planned > 0 ? referenceAt(planned, 'planned') : [];
      case undefined:
        return [];
      default:
        return references satisfies never;
    }
  }, [references, uniform, bigram, planned]);
}
