/** One run on several ranks: mesh, collectives, data, tensor and pipeline parallelism, ZeRO. */
export { Group } from './collectives.ts';
export { RankTrainer } from './rank_trainer.ts';
export { serveReducer } from './reducer_server.ts';
export { ReducerStopped, ReducerThread } from './reducer_thread.ts';
export { type Link, type Payload, RankLost } from './transport/link.ts';
export { type PortLike, PortLink } from './transport/ports.ts';
