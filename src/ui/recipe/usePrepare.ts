/** Loads the selected text automatically. */
import { useEffect, useRef } from 'react';
import { dataKey, isActive } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';

/** Time without a change of the data options before the text is loaded. */
const IDLE_MS = 700;

/** Loads the text once its options stop changing, if the worker is idle. */
export function usePrepare(): void {
  const client = useClient();
  const key = useForm((state) => dataKey(state.config, state));
  const preparedKey = useForm((state) => state.preparedKey);
  const complete = useForm(
    ({ config, text, tokenizerJson }) =>
      (config.data.corpus !== 'own' || text !== null) &&
      (config.tokenizer.kind !== 'imported' || tokenizerJson !== null),
  );
  const isIdle = useRun((state) => !isActive(state.phase));
  const error = useRun((state) => state.error);
  const requested = useRef<string | null>(null);
  const failure = useRef({ error, key });
  useEffect(() => {
    if (failure.current.error !== error) failure.current = { error, key };
    // What failed is not tried again until the text or its options change.
    const isOutdated = error?.action === 'change_config' || failure.current.key !== key;
    const isBlocked = error !== null && !(isOutdated && requested.current !== key);
    if (!isIdle || isBlocked || !complete || key === preparedKey) return undefined;
    const timer = setTimeout(() => {
      requested.current = key;
      client.prepare();
    }, IDLE_MS);
    return () => clearTimeout(timer);
  }, [client, key, preparedKey, complete, isIdle, error]);
}
