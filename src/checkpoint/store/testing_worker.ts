/**
 * A worker for opfs.browser.test.ts that acts as another tab. Only protocol/ may post messages, so
 * the test passes its order as the name of the worker and reads the answer from a file.
 */
import type { CheckpointState } from '../checkpoint_state.ts';
import { CheckpointError } from '../error.ts';
import { tinyState } from '../testing_states.ts';
import { OpfsFileSystem } from './opfs.ts';
import { openRunStore } from './open_store.ts';
import type { RunStore } from './run_store.ts';

export interface Order {
  what: 'save' | 'load' | 'hold' | 'save_forever' | 'look' | 'fill' | 'overfill' | 'delete';
  folder: string;
  answer: string;
}

/** Weights follow from the step, so that a mix of two checkpoints is detected. */
export const stateOf = (step: number): CheckpointState => ({
  ...tinyState({ layout: 'gpt2', n_layer: 1, n_embd: 64 }, step),
  step,
});

async function obey(order: Order, store: RunStore): Promise<unknown> {
  switch (order.what) {
    case 'save':
      return save(store);
    case 'load':
      return load(store);
    case 'hold':
      return (await store.open('a')).id;
    case 'save_forever':
      return saveForever(order, store);
    case 'look':
      return { list: await store.list(), metrics: [...(await store.readMetrics('a')).step] };
    case 'fill':
      return (await store.open('a')).save({
        ...tinyState({ layout: 'gpt2', n_embd: 256 }),
        step: 9,
      });
    case 'overfill':
      return overfill(order);
    case 'delete': {
      await store.delete('a');
      const fs = await OpfsFileSystem.open(order.folder);
      return { list: await store.list(), left: await fs.list('runs') };
    }
    default:
      return order.what satisfies never;
  }
}

async function save(store: RunStore): Promise<unknown> {
  const { config } = stateOf(0);
  const run = await store.create({ id: 'a', name: 'First', config, n_params: 1 });
  const bytes = [await run.save(stateOf(1)), await run.save(stateOf(2))];
  await run.saveText({ name: 'mine.txt', bytes: Uint8Array.of(104, 105) });
  await run.appendMetrics({ step: Float64Array.of(1), loss: Float64Array.of(3) });
  await run.appendMetrics({ step: Float64Array.of(2), loss: Float64Array.of(2) });
  const list = await store.list();
  return { bytes, list, storage: await store.storage(), refused: store.refused };
}

async function load(store: RunStore): Promise<unknown> {
  const run = await store.open('a');
  const loaded = await run.load();
  const text = await run.loadText();
  const metrics = await run.readMetrics();
  await run.close();
  const expected = stateOf(loaded?.state.step ?? 0);
  return {
    step: loaded?.state.step,
    recovered: loaded?.recovered,
    whole:
      sameValues(expected.parameters, loaded?.state.parameters) &&
      sameValues(expected.optimizer, loaded?.state.optimizer),
    text: text && new TextDecoder().decode(text.bytes),
    steps: [...metrics.step],
  };
}

type Tensors = ReadonlyMap<string, Float32Array>;

const sameValues = (expected: Tensors, actual: Tensors | undefined): boolean =>
  [...expected].every(([name, values]) =>
    actual?.get(name)?.every((value, i) => Object.is(value, values[i])),
  );

/** Appends 2 MB to the metrics, and reports whether a failure leaves the file as it was. */
async function overfill({ folder }: Order): Promise<unknown> {
  const fs = await OpfsFileSystem.open(folder);
  const path = 'runs/a/metrics.jsonl';
  const before = await fs.read(path);
  let code = '';
  try {
    await fs.append(path, new Uint8Array(2 ** 21));
  } catch (error) {
    code = error instanceof CheckpointError ? error.code : String(error);
  }
  return { code, before: before?.length, after: (await fs.read(path))?.length };
}

/** Saves until the worker is terminated; answers after the third checkpoint. */
async function saveForever(order: Order, store: RunStore): Promise<never> {
  const run = await store.open('a');
  for (let step = 3; ; step++) {
    await run.save(stateOf(step));
    if (step === 5) await answer(order, { started: true });
  }
}

async function answer(order: Order, value: unknown): Promise<void> {
  const fs = await OpfsFileSystem.open('answers');
  // Not atomic, but an incomplete answer is not valid JSON, and the test reads again.
  await fs.write(order.answer, new TextEncoder().encode(JSON.stringify({ value })));
}

const isOrder = (json: unknown): json is Order =>
  typeof json === 'object' &&
  json !== null &&
  'what' in json &&
  'folder' in json &&
  'answer' in json;

if (
  typeof DedicatedWorkerGlobalScope !== 'undefined' &&
  self instanceof DedicatedWorkerGlobalScope
) {
  const order: unknown = JSON.parse(self.name);
  if (isOrder(order)) {
    void openRunStore(order.folder)
      .then((store) => obey(order, store))
      .catch((error: unknown) =>
        error instanceof CheckpointError ? { code: error.code } : { crash: String(error) },
      )
      .then((value) => answer(order, value));
  }
}
