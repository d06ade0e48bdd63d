/** The settled run of the form: its plan, and the problems that would make it fail. */
import { useMemo } from 'react';
import { settleRun, type SettledRun } from '../../run/index.ts';
import { dataKey, type DataSummary } from '../../store/index.ts';
import { useForm, useRun } from '../context.tsx';

/** The summary of the form's text, or null until it is loaded. */
export function useDataSummary(): DataSummary | null {
  const summary = useRun((state) => state.data);
  // The worker's summary may belong to a text that was selected earlier.
  const isCurrent = useForm(
    (form) => form.preparedKey !== null && form.preparedKey === dataKey(form.config, form),
  );
  return isCurrent ? summary : null;
}

/** Settles the form's configuration. Until the text is loaded, its vocabulary is an estimate. */
export function useSettledRun(): SettledRun {
  const config = useForm((state) => state.config);
  const data = useDataSummary();
  const device = useRun((state) => state.device);
  return useMemo(() => settleRun(config, data, device), [config, data, device]);
}
