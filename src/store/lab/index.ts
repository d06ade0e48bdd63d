/** The parallel lab, loaded when its place is first shown. */
export { MOST_RANKS } from './checked_mesh.ts';
export * from './lab_client.ts';
export * from './lab_state.ts';
export type { LabStart } from './open_ranks.ts';
export { unsavedSteps, unsavedWhileTraining } from './lab_sentences.ts';
export {
  type BytesSent,
  COLLECTIVES,
  type CollectiveKind,
  type RankMemory,
  type RankStep,
  type Span,
  SPAN_KINDS,
  type SpanKind,
} from '../../common/index.ts';
export { bubbleOf } from './bubble.ts';
export { ANSWER_LENGTH } from './planned_bytes.ts';
