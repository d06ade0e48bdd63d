/**
 * Runs in the thread that reduces buckets of gradients for a rank (`reducer_thread.ts` is the rank's
 * side). Its messages are in `protocol/reducer_port.ts`.
 */
import type { FromReducer, OpenReducer, ReduceRequest, ToReducer } from '../common/index.ts';
import { type BucketReducer, GroupReducer } from './bucket_reducer.ts';
import { Group } from './collectives.ts';
import { Recorder } from './traffic.ts';
import { RankLost } from './transport/link.ts';
import { type PortLike, PortLink } from './transport/ports.ts';

/** The thread's end of the connection to its rank. */
export interface ReducerScope {
  emit(message: FromReducer): void;
  onMessage(listener: (message: ToReducer) => void): void;
}

/** Until the first request says how long another rank may be waited for. */
const PATIENCE_AT_START_MS = 120_000;

/** Answers the rank's requests until the worker ends. */
export function serveReducer(scope: ReducerScope, open: OpenReducer<PortLike>): void {
  const { rank, ranks } = open;
  let patience = PATIENCE_AT_START_MS;
  const ports = new Map(open.ports.map(({ rank: other, port }) => [other, port]));
  const link = new PortLink({ rank, ports, patience: () => patience });
  const recorder = new Recorder();
  const reducer = new GroupReducer(new Group(ranks, link, recorder));
  scope.onMessage((message) => {
    switch (message.type) {
      case 'reduce':
        ({ patience } = message);
        void answer(reducer, message).then((answered) => {
          const report = recorder.take();
          scope.emit(answered.type === 'reduced' ? { ...answered, report } : answered);
        });
        return;
      case 'rank_gone':
        link.lose(message.rank, message.why);
        return;
      default:
        message satisfies never;
    }
  });
}

async function answer(
  reducer: BucketReducer,
  { id, slices, tag, gathers }: ReduceRequest & { id: number },
): Promise<FromReducer> {
  try {
    return { type: 'reduced', id, ...(await reducer.reduce({ slices, tag, gathers })) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const lost = error instanceof RankLost ? { rank: error.rank, why: error.why } : null;
    return { type: 'failed', id, message, lost };
  }
}
