/** Rooms of the page. The room `ui` imports what it needs of `parallel/pool` from here. */
export { Classroom } from './classroom.ts';
export type { RoomState } from './room_state.ts';
export { defaultOuter, type OuterConfig } from '../../parallel/pool/diloco.ts';
export { isRoomCode, type MemberPhase, type MemberRow } from '../../parallel/pool/schema.ts';
