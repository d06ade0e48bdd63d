import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import type { Command, Event, PagePort } from '../protocol/index.ts';
import { PATIENCE_MS } from './watch.ts';
import { RequestError, WorkerLink } from './worker_link.ts';

interface FakeWorker {
  sent: Command[];
  closed: boolean;
  emit: (event: Event) => void;
  die: (reason: string) => void;
}

let workers: FakeWorker[];
let heard: string[];
let link: WorkerLink;

function spawn(): PagePort {
  const worker: FakeWorker = {
    sent: [],
    closed: false,
    emit: () => undefined,
    die: () => undefined,
  };
  workers.push(worker);
  return {
    send: (command) => worker.sent.push(command),
    close: () => {
      worker.closed = true;
    },
    onEvent: (listener) => {
      worker.emit = listener;
    },
    onDeath: (listener) => {
      worker.die = listener;
    },
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  workers = [];
  heard = [];
  link = new WorkerLink(spawn, {
    event: (event) => heard.push(event.type),
    started: () => heard.push('(started)'),
    silent: (silent) => heard.push(silent ? '(silent)' : '(answers)'),
    died: (reason) => heard.push(`(died: ${reason})`),
  });
});
afterEach(() => {
  link.close();
  vi.useRealTimers();
});

const worker = (index = 0): FakeWorker => {
  const found = workers[index];
  if (!found) throw new Error(`There is no worker ${index}.`);
  return found;
};
const FULL = { code: 'storage_full', message: 'Storage is full.', hint: 'Free some.' };
const exported = (id: number): Event => ({
  type: 'exported',
  id,
  name: `${id}.zip`,
  bytes: new Uint8Array(id),
});

describe('WorkerLink', () => {
  it('passes the tokens of a chat on, and resolves with what ends it', async () => {
    const { sampling } = defaultConfig();
    const asked = link.request((id) => ({ type: 'chat', id, model: 'm', prompt: 'Q', sampling }));
    worker().emit({ type: 'token', id: 1, pieces: [] });
    const end = { text: '', prompt_tokens: 1, tokens: 1, context_left: 5 };
    worker().emit({ type: 'chat_done', id: 1, reason: 'stop', ...end });
    expect((await asked).context_left).toBe(5);
    expect(heard).toContain('token');
  });
  it('starts a worker with the first command, and only one', () => {
    expect(link.isOpen).toBe(false);
    link.send({ type: 'train' });
    link.send({ type: 'pause' });
    expect(worker().sent.map(({ type }) => type)).toEqual(['train', 'pause']);
    expect([workers.length, heard, link.isOpen]).toEqual([1, ['(started)'], true]);
  });

  it('resolves each request to the answer with its id, in any order', async () => {
    const first = link.request((id) => ({ type: 'export', id }));
    const second = link.request((id) => ({ type: 'export', id }));
    worker().emit(exported(2));
    worker().emit(exported(1));
    expect([(await first).name, (await second).name]).toEqual(['1.zip', '2.zip']);
    // The listener hears answers too.
    expect(heard).toEqual(['(started)', 'exported', 'exported']);
  });

  it('rejects only the request whose id an error has', async () => {
    const first = link.request((id) => ({ type: 'export', id }));
    const second = link.request((id) => ({ type: 'save', id }));
    worker().emit({ type: 'error', error: FULL });
    worker().emit({ type: 'error', id: 2, error: FULL });
    await expect(second).rejects.toEqual(new RequestError(FULL));
    await expect(second).rejects.toThrow('Storage is full. Free some.');
    worker().emit(exported(1));
    expect((await first).name).toBe('1.zip');
    // The error with an id was for its request alone.
    expect(heard.filter((type) => type === 'error')).toHaveLength(1);
  });

  it('takes no save of the run itself for the answer', async () => {
    const saved = link.request((id) => ({ type: 'save', id }));
    worker().emit({ type: 'saved', run: 'r', step: 5, bytes: 1 });
    worker().emit({ type: 'saved', id: 1, run: 'r', step: 6, bytes: 1 });
    expect((await saved).step).toBe(6);
  });

  it('rejects pending requests when the worker dies, and starts another for the next', async () => {
    const pending = link.request((id) => ({ type: 'export', id }));
    worker().die('out of memory');
    await expect(pending).rejects.toThrow('stopped by itself (out of memory)');
    expect([heard.at(-1), worker().closed, link.isOpen]).toEqual([
      '(died: out of memory)',
      true,
      false,
    ]);
    link.send({ type: 'train' });
    expect(workers).toHaveLength(2);
  });

  it('rejects pending requests when it is closed, and ignores the worker from then on', async () => {
    const pending = link.request((id) => ({ type: 'export', id }));
    link.close();
    await expect(pending).rejects.toThrow('ended before it could answer');
    worker().emit(exported(1));
    worker().die('late');
    expect(heard).toEqual(['(started)']);
  });

  it('notices a worker that does not answer pings, and when it answers again', () => {
    link.send({ type: 'train' });
    vi.advanceTimersByTime(PATIENCE_MS + 10_000);
    const pings = worker().sent.filter(({ type }) => type === 'ping').length;
    expect([heard.at(-1), pings > 5]).toEqual(['(silent)', true]);
    worker().emit({ type: 'pong', id: 1 });
    expect(heard).toContain('(answers)');
    link.close();
    vi.advanceTimersByTime(PATIENCE_MS);
    expect(worker().sent.filter(({ type }) => type === 'ping')).toHaveLength(pings);
  });
});
