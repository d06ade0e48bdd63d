/** Exports a saved model: the current one at once, another one after it was opened. */
import { isMoving, type Client } from '../../store/index.ts';
import { exportCheckpoint } from '../transfer.ts';

export function exportRun(client: Client, run: string): void {
  const current = client.stores.run.getState();
  if (current.run === run && !current.opening) {
    void exportCheckpoint(client);
    return;
  }
  if (isMoving(current.phase)) {
    client.notify('Pause the current run first: a model is opened to be exported.');
    return;
  }
  client.resume(run, { paused: true });
  const stop = client.onEvent((event) => {
    if (event.type !== 'started' && event.type !== 'error') return;
    stop();
    if (event.type === 'started' && event.run === run) void exportCheckpoint(client);
  });
}
