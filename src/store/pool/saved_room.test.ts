/** The state of a room as bytes in the host's run. */
import { expect, it } from 'vitest';
import { planOf } from '../../parallel/pool/testing_room.ts';
import { readRoom, writeRoom, type SavedRoom } from './saved_room.ts';

const evaluation = { round: 2, step: 16, val_loss: 2.5 };
const record = { round: 1, step: 16, train_loss: 2, contributors: 3, seconds: 1.5, bytes: 36 };
const ROOM: SavedRoom = {
  code: 'ABCDEF',
  token: '0123456789abcdef0123456789abcdef',
  plan: planOf(3),
  memory: { records: [record], evaluations: [evaluation] },
  state: {
    round: 2,
    parameters: Float32Array.of(0.1, -0, 3e-42),
    momentum: Float32Array.of(1, 2, -1e30),
  },
};

it('is read as it was written, bit by bit', () => {
  const read = readRoom(writeRoom(ROOM));
  expect(read).toEqual(ROOM);
  expect(Object.is(read?.state.parameters[1], -0)).toBe(true);
});

it('is not read if any part of it is missing, or if there is more', () => {
  const bytes = writeRoom(ROOM);
  for (let length = 0; length < bytes.length; length++) {
    expect(readRoom(bytes.slice(0, length))).toBeNull();
  }
  expect(readRoom(Uint8Array.from([...bytes, 0]))).toBeNull();
});

it('is not read with letters, a token or a plan that a room does not have', () => {
  for (const change of [{ code: 'abcdef' }, { token: '' }, { plan: planOf(4) }]) {
    expect(readRoom(writeRoom({ ...ROOM, ...change }))).toBeNull();
  }
});
