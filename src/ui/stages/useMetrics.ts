/** Reads the metrics of models that are judged by them, once for each state of a run. */
import { useEffect } from 'react';
import { needsHistory } from '../../store/stages/main_metric.ts';
import { useClient, useLibrary } from '../context.tsx';

/** Of each run that was read, when it had last changed. */
const read = new Map<string, number>();

export function useMetrics(): void {
  const client = useClient();
  const runs = useLibrary((state) => state.runs);
  useEffect(() => {
    const stale = runs.filter(
      (record) => needsHistory(record) && read.get(record.run) !== record.updated,
    );
    for (const { run, updated } of stale) read.set(run, updated);
    if (stale.length > 0) void client.library.loadHistories(stale.map(({ run }) => run));
  }, [client, runs]);
}
