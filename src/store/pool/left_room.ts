/** Which room this browser was the host of, and who this tab is in a room: for pages that come back. */
import { randomId } from '../../common/index.ts';
import { isRoomCode } from '../../parallel/pool/schema.ts';
import type { LeftRoom } from './room_state.ts';

const ROOM = 'terrarium-room';
const TOKEN = 'terrarium-member';

/** Storage that a browser may refuse. */
function tried<T>(action: () => T): T | null {
  try {
    return action();
  } catch {
    return null;
  }
}

export function keepRoom(room: LeftRoom): void {
  tried(() => localStorage.setItem(ROOM, JSON.stringify(room)));
}

export function forgetRoom(): void {
  tried(() => localStorage.removeItem(ROOM));
}

export function leftRoom(): LeftRoom | null {
  const value: unknown = tried(() => JSON.parse(localStorage.getItem(ROOM) ?? 'null') as unknown);
  if (typeof value !== 'object' || value === null) return null;
  const { code, run, name } = { code: '', run: '', name: '', ...value };
  if (typeof code !== 'string' || typeof run !== 'string' || typeof name !== 'string') return null;
  return isRoomCode(code) && run !== '' ? { code, run, name } : null;
}

/** The token of this tab, the same after a reload. */
export function memberToken(): string {
  const kept = tried(() => sessionStorage.getItem(TOKEN));
  if (kept !== null && /^[0-9a-f]{32}$/u.test(kept)) return kept;
  const token = randomId();
  tried(() => sessionStorage.setItem(TOKEN, token));
  return token;
}
