/** The worker beside a rank's that adds up its buckets of gradients. */
// Not by the rooms' indexes: every rank loads this worker, which needs neither a model nor TensorFlow.js.
import { serveReducer } from '../../parallel/reducer_server.ts';
import { connectRank } from '../../protocol/rank_port.ts';
import { connectRankOfReducer } from '../../protocol/reducer_port.ts';

connectRankOfReducer(self, (scope, { rank, ranks, ports }) => {
  const connected = ports.map((peer) => ({ rank: peer.rank, port: connectRank(peer.port) }));
  serveReducer(scope, { rank, ranks, ports: connected });
});
