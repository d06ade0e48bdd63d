/** What the page shows of a room. */
import { createStore } from 'zustand/vanilla';
import type { PoolError } from '../../parallel/pool/error.ts';
import type { RoomPhase } from '../../parallel/pool/host.ts';
import type { MemberState } from '../../parallel/pool/member.ts';
import type { HostMemory, MemberRow, Plan } from '../../parallel/pool/schema.ts';

export interface RoomState {
  role: 'none' | 'host' | 'member';
  /** A room is being created, opened again or joined. */
  opening: boolean;
  code: string;
  /** Its address, which leads to the page with the letters filled in; '' where pages cannot meet. */
  link: string;
  phase: RoomPhase;
  /** Of this page as a member. */
  member: MemberState | null;
  /** Number of this page's member. */
  id: number | null;
  plan: Plan | null;
  rounds: number;
  rows: readonly MemberRow[];
  memory: HostMemory;
  /** What the page cannot do, and what to do about it. */
  problem: Pick<PoolError, 'message' | 'hint'> | null;
  /** Why members cannot join by letters; null if they can. */
  signals: Pick<PoolError, 'message' | 'hint'> | null;
  /** The host's code for one member. */
  invitation: string | null;
  /** Why there is no code, or why the other page's code or answer is of no use. */
  invitationProblem: Pick<PoolError, 'message' | 'hint'> | null;
  /** This member's answer to the host's code, until the connection is made or has failed. */
  answer: string | null;
  /** Whether this page could reach the host's, as far as it has tried; the answer is still good. */
  reached: boolean;
  /** This page joined by a code and is not connected: it needs another code. */
  needsCode: boolean;
  /** A room of this browser whose page was closed. */
  left: LeftRoom | null;
}

export interface LeftRoom {
  code: string;
  run: string;
  name: string;
}

export const NO_ROOM: RoomState = {
  role: 'none',
  opening: false,
  code: '',
  link: '',
  phase: 'open',
  member: null,
  id: null,
  plan: null,
  rounds: 0,
  rows: [],
  memory: { records: [], evaluations: [] },
  problem: null,
  signals: null,
  invitation: null,
  invitationProblem: null,
  answer: null,
  reached: true,
  needsCode: false,
  left: null,
};

export const createRoomState = () => createStore<RoomState>(() => NO_ROOM);
export type RoomStore = ReturnType<typeof createRoomState>;
