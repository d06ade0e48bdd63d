/** The evaluations of this page, which go on while other places are shown. */
import { useStore } from 'zustand';
import {
  createEvaluations,
  type EvaluationModels,
  Evaluations,
  type EvaluationsState,
} from '../../store/stages/evaluations.ts';
import { useClient } from '../context.tsx';

const store = createEvaluations();
let current: { models: EvaluationModels; evaluations: Evaluations } | null = null;

interface MayEvaluate {
  stores: unknown;
  models?: EvaluationModels;
}

/** Null where the page has no worker for models. */
export function useEvaluating(): Evaluations | null {
  const client: MayEvaluate = useClient();
  return client.models ? evaluationsOf(client.models) : null;
}

function evaluationsOf(models: EvaluationModels): Evaluations {
  if (current?.models !== models) {
    current = { models, evaluations: new Evaluations(models, store) };
  }
  return current.evaluations;
}

export const useEvaluations = <T>(select: (state: EvaluationsState) => T): T =>
  useStore(store, select);
