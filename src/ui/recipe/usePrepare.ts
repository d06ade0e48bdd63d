/**
 * Reads the chosen text by itself once the person has let go of the form, where the worker is free.
 */
import { useEffect } from 'react';
import { dataKey, isActive } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';

const PAUSE_MS = 700;

export function usePrepare(): void {
  const client = useClient();
  const key = useForm((state) => dataKey(state.config, state.text));
  const prepared = useForm((state) => state.preparedKey);
  const complete = useForm(
    (state) =>
      (state.config.data.corpus !== 'own' || state.text !== null) &&
      (state.config.tokenizer.kind !== 'imported' || state.tokenizerJson !== null),
  );
  const free = useRun((state) => !isActive(state.phase) && !state.error);
  useEffect(() => {
    if (!free || !complete || key === prepared) return undefined;
    const timer = setTimeout(() => client.prepare(), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [client, key, prepared, complete, free]);
}
