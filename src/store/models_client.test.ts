import { beforeEach, describe, expect, it } from 'vitest';
import type { Command, Event, OpenedModel, PagePort } from '../protocol/index.ts';
import { ModelsClient } from './models_client.ts';
import { createStores } from './stores.ts';
import { savedRun } from './stages/testing_saved_run.ts';
import { WorkerLink } from './worker_link.ts';

interface FakeWorker {
  sent: Command[];
  emit: (event: Event) => void;
  die: (reason: string) => void;
}

let worker: FakeWorker;
let client: ModelsClient;

function spawn(): PagePort {
  const fake: FakeWorker = { sent: [], emit: () => undefined, die: () => undefined };
  worker = fake;
  return {
    send: (command) => fake.sent.push(command),
    close: () => undefined,
    onEvent: (listener) => {
      fake.emit = listener;
    },
    onDeath: (listener) => {
      fake.die = listener;
    },
  };
}

beforeEach(() => {
  const stores = createStores();
  const runs = ['a', 'b', 'c', 'd'].map((run) => savedRun(run, null));
  stores.library.setState({ runs });
  const nothing = { event: () => undefined, started: () => undefined };
  const runLink = new WorkerLink(spawn, {
    ...nothing,
    silent: () => undefined,
    died: () => undefined,
  });
  client = new ModelsClient(stores, runLink, spawn);
});

/** Requests to open a model, in order. */
const asked = () => worker.sent.filter((command) => command.type === 'open_model');

const openedModel = (model: string): OpenedModel => ({
  model,
  checkpoint: { run: model, name: model, weights: 'last', step: 10 },
  lineage: savedRun(model, null).lineage,
  n_params: 1000,
  bytes: 4000,
  chats: true,
  block_size: 64,
  vocab_size: 100,
  vocabulary: 'v',
  is_reward: false,
  notes: [],
});

function answer(index: number): OpenedModel {
  const { id, model } = asked()[index] ?? { id: -1, model: '' };
  const opened = openedModel(model);
  worker.emit({ type: 'model_opened', id, opened });
  return opened;
}

function refuse(index: number): void {
  const error = {
    code: 'storage_full',
    message: 'It cannot be read.',
    hint: 'Try again.',
  } as const;
  worker.emit({ type: 'error', id: asked()[index]?.id, error });
}

describe('a model that is opened', () => {
  it('is opened once', async () => {
    const [first, second] = [client.open('a'), client.open('a')];
    const opened = answer(0);
    expect(await first).toBe(opened);
    expect(await second).toBe(opened);
    expect(asked()).toHaveLength(1);
  });
  it('is tried again after a refusal, which every caller is told', async () => {
    const both = Promise.allSettled([client.open('a'), client.open('a')]);
    refuse(0);
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const again = client.open('a');
    answer(1);
    expect(await again).toMatchObject({ checkpoint: { run: 'a' } });
  });
  it('stays open when an earlier request for it is refused late', async () => {
    const early = client.open('a');
    const late = client.open('a', 'float16');
    answer(1);
    await late;
    refuse(0);
    await expect(early).rejects.toThrow('It cannot be read. Try again.');
    await client.open('a', 'float16');
    expect(asked()).toHaveLength(2);
  });
  it('stays open when the request before it gave way was refused late', async () => {
    const early = client.open('a');
    for (const run of ['b', 'c', 'd']) void client.open(run);
    const late = client.open('a');
    answer(4);
    await late;
    refuse(0);
    await expect(early).rejects.toThrow('It cannot be read.');
    await client.open('a');
    expect(asked()).toHaveLength(5);
  });
});

it('rejects what is asked for when the worker ends, and opens it in another one', async () => {
  const waiting = client.open('a');
  worker.die('out of memory');
  await expect(waiting).rejects.toThrow('stopped by itself (out of memory)');
  const again = client.open('a');
  answer(0);
  await again;
});
