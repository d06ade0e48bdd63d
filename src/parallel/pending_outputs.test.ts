import { expect, test } from 'vitest';
import { PendingOutputs } from './pending_outputs.ts';

const never = new Promise<never>(() => undefined);

test('an output that cannot be sent rejects the wait for another rank with its error', async () => {
  const outputs = new PendingOutputs();
  let lose: (error: Error) => void = () => undefined;
  outputs.add(
    new Promise((_resolve, reject) => {
      lose = reject;
    }),
  );
  const received = outputs.receive(never);
  lose(new Error('The device was lost.'));
  await expect(received).rejects.toThrow('The device was lost.');
  await expect(outputs.receive(never)).rejects.toThrow('The device was lost.');
  await expect(outputs.finish()).rejects.toThrow('The device was lost.');
});

test('messages arrive while outputs are being sent, and finish waits for the outputs', async () => {
  const outputs = new PendingOutputs();
  let send: () => void = () => undefined;
  outputs.add(
    new Promise((resolve) => {
      send = resolve;
    }),
  );
  expect(await outputs.receive(Promise.resolve(3))).toBe(3);
  let isFinished = false;
  const finished = outputs.finish().then(() => {
    isFinished = true;
  });
  expect(await outputs.receive(Promise.resolve(4))).toBe(4);
  expect(isFinished).toBe(false);
  send();
  await finished;
});
