import { describe, expect, it, vi } from 'vitest';
import {
  commandTransfers,
  connectPage,
  connectWorker,
  eventTransfers,
  isCommand,
  isEvent,
} from './port.ts';
import type { Command } from './commands.ts';
import type { Event } from './events.ts';

describe('guards', () => {
  it.each([
    null,
    3,
    'train',
    {},
    { type: 'nope' },
    { type: 'toString' },
    { type: '__proto__' },
    [],
  ])('refuse %j', (value) => {
    expect([isCommand(value), isEvent(value)]).toEqual([false, false]);
  });
  it('tell commands from events', () => {
    expect([
      isCommand({ type: 'train' }),
      isEvent({ type: 'train' }),
      isEvent({ type: 'metrics' }),
    ]).toEqual([true, false, true]);
  });
});

describe('transfers', () => {
  it("move the buffers of columns, each once, and no part of somebody else's", () => {
    const step = new Float64Array(4);
    const event: Event = {
      type: 'metrics',
      columns: { step, same: step, part: new Float64Array(new ArrayBuffer(64), 8, 4) },
    };
    expect(eventTransfers(event)).toEqual([step.buffer]);
  });
  it('move the files of an import and copy a text, which the page keeps', () => {
    const bytes = new Uint8Array(3);
    expect(
      commandTransfers({
        type: 'import',
        id: 800,
        run: 'r',
        name: 'n',
        files: [{ path: 'a', bytes }],
      }),
    ).toEqual([bytes.buffer]);
  });
});

describe('ports', () => {
  it('answer a ping by themselves and pass on the rest', () => {
    let hear: (event: MessageEvent<unknown>) => void = () => undefined;
    const sent: unknown[] = [];
    const port = connectPage({
      postMessage: (message) => sent.push(message),
      addEventListener: (_type, listener) => {
        hear = listener;
      },
    });
    const commands: Command[] = [];
    port.onCommand((command) => commands.push(command));
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    for (const data of [{ type: 'ping', id: 4 }, { type: 'train' }, { type: 'nope' }])
      hear(new MessageEvent('message', { data }));
    expect([sent, commands, warn.mock.calls.length]).toEqual([
      [{ type: 'pong', id: 4 }],
      [{ type: 'train' }],
      1,
    ]);
    warn.mockRestore();
  });
  it('tell a death', () => {
    const listeners = new Map<string, (event: globalThis.Event) => void>();
    const port = connectWorker({
      postMessage: () => undefined,
      terminate: () => undefined,
      addEventListener: (type, listener) => {
        listeners.set(type, listener);
      },
    });
    const reasons: string[] = [];
    port.onDeath((reason) => reasons.push(reason));
    listeners.get('messageerror')?.(new globalThis.Event('messageerror'));
    listeners.get('error')?.(new globalThis.Event('error'));
    expect(reasons).toHaveLength(2);
  });
});
