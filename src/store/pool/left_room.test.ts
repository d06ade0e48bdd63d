/** What a browser keeps of rooms for pages that come back. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { forgetRoom, keepRoom, leftRoom, memberToken } from './left_room.ts';
import { MemoryStorage } from '../../testing/memory_storage.ts';

beforeEach(() => {
  vi.stubGlobal('localStorage', new MemoryStorage());
  vi.stubGlobal('sessionStorage', new MemoryStorage());
});
afterEach(() => vi.unstubAllGlobals());

const room = { code: 'ABCDEF', run: 'r1', name: 'Trained together' };

it('gives back the room that was kept, until it is forgotten', () => {
  expect(leftRoom()).toBeNull();
  keepRoom(room);
  expect(leftRoom()).toEqual(room);
  forgetRoom();
  expect(leftRoom()).toBeNull();
});

it.each([
  ['no JSON', 'ABCDEF'],
  ['another type', '"ABCDEF"'],
  ['letters that are no code', JSON.stringify({ ...room, code: 'abc' })],
  ['no run', JSON.stringify({ ...room, run: '' })],
  ['a run that is no text', JSON.stringify({ ...room, run: 3 })],
])('ignores %s', (_name, text) => {
  localStorage.setItem('terrarium-room', text);
  expect(leftRoom()).toBeNull();
});

it('keeps the token of a tab, and replaces one that is not valid', () => {
  const token = memberToken();
  expect(token).toMatch(/^[0-9a-f]{32}$/u);
  expect(memberToken()).toBe(token);
  sessionStorage.setItem('terrarium-member', 'a friend');
  expect(memberToken()).not.toBe(token);
});

it('works in a browser that refuses storage', () => {
  const refuse = (): never => {
    throw new DOMException('Refused', 'SecurityError');
  };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  vi.stubGlobal('localStorage', storage);
  vi.stubGlobal('sessionStorage', storage);
  keepRoom(room);
  forgetRoom();
  expect(leftRoom()).toBeNull();
  expect(memberToken()).toMatch(/^[0-9a-f]{32}$/u);
});
