/**
 * One run on several ranks. The mesh itself (how many ranks each kind of parallelism has, and which
 * rank is where) is `common/mesh.ts`; schedules of pipelines are `plan/parallel/pipeline_schedule.ts`.
 *
 * Files, in an order in which to read them:
 *
 * - `transport/` carries messages between two ranks: `link.ts` is the interface, `local.ts` joins
 *   ranks of one thread, `ports.ts` joins workers. `collectives.ts` builds all-reduce and the others
 *   on it; `traffic.ts` counts the bytes and the time of each.
 * - `rank_trainer.ts` is the loop of one rank: micro-batches, reduction, update. `rank_build.ts`
 *   creates its parts, which `rank_parts.ts` lists.
 * - Data parallelism and ZeRO: `shards.ts` says who owns which values. `data.ts` reduces buckets of
 *   gradients, `overlapped_gradients.ts` during the backward pass and `synced_gradients.ts` after each
 *   micro-batch. `zero.ts` shards gradients (ZeRO-2 and 3), `sharded_weights.ts` weights (ZeRO-3).
 *   `reducer_thread.ts` and `reducer_server.ts` move the reduction to a thread of its own.
 * - Tensor parallelism: `tensor_model.ts` and `tensor_parameters.ts` slice the model,
 *   `tensor_region.ts` has the all-reduces, `tensor_vocabulary.ts` the split cross-entropy.
 * - Pipelines: `pipeline_stages.ts` cuts the model, `pipeline.ts` follows a schedule, `stage_run.ts`
 *   runs one micro-batch on one stage, `stage_forward.ts` passes without gradients.
 * - Checkpoints know no mesh: `gather_state.ts` and `load_state.ts`.
 * - `pool/` trains one model on many machines (DiLoCo).
 */
export { Group } from './collectives.ts';
export { RankTrainer } from './rank_trainer.ts';
export { serveReducer } from './reducer_server.ts';
export { ReducerStopped, ReducerThread } from './reducer_thread.ts';
export { type Link, type Payload, RankLost } from './transport/link.ts';
export { type PortLike, PortLink } from './transport/ports.ts';
