/** The worker beside a rank's that adds up its buckets of gradients. */
import { serveReducer } from '../../parallel/index.ts';
import { connectRank, connectRankOfReducer } from '../../protocol/index.ts';

connectRankOfReducer(self, (scope, { rank, ranks, ports }) => {
  const connected = ports.map((peer) => ({ rank: peer.rank, port: connectRank(peer.port) }));
  serveReducer(scope, { rank, ranks, ports: connected });
});
