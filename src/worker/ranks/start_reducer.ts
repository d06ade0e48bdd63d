import { groupOf } from '../../common/index.ts';
import { ReducerThread } from '../../parallel/index.ts';
import { connectReducer, type OpenRankCommand } from '../../protocol/index.ts';

/**
 * A thread that adds up gradients while this one computes, which on the processor handles no message
 * during a pass. It ends with the worker of the rank. Undefined if the mesh reduces no buckets.
 */
export function startReducer(
  { rank, mesh, reducer_ports: ports }: OpenRankCommand,
  patience: () => number,
): ReducerThread | undefined {
  if (mesh.dp === 1 || mesh.zero_stage > 1) return undefined;
  // Tests run ranks in Node, whose threads are no Workers; the rank then adds up itself.
  if (typeof Worker === 'undefined') return undefined;
  const worker = new Worker(new URL('./reducer_worker.ts', import.meta.url), {
    type: 'module',
    name: `terrarium gradients of rank ${rank}`,
  });
  const ranks = groupOf(mesh, rank, 'dp');
  const port = connectReducer(worker, { rank, ranks, ports }, () => worker.terminate());
  return new ReducerThread(port, patience);
}
