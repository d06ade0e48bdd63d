/**
 * A tab's worker for opfs.browser.test.ts. Only protocol/ may post messages, so the test gives its
 * order in the worker's name and finds the answer in a file.
 */
import type { CheckpointState } from '../checkpoint_state.ts';
import { CheckpointError } from '../error.ts';
import { tinyState } from '../testing_states.ts';
import { OpfsFileSystem } from './opfs.ts';
import { openRunStore } from './open_store.ts';
import type { RunStore } from './run_store.ts';

export interface Order {
  what: 'save' | 'load' | 'hold' | 'save_forever' | 'look' | 'fill' | 'delete';
  folder: string;
  answer: string;
}

/** Weights follow from the step, so that a checkpoint mixed from two is found out. */
export const stateOf = (step: number): CheckpointState => ({
  ...tinyState({ layout: 'gpt2', n_layer: 1, n_embd: 64 }, step),
  step,
});

async function obey(order: Order, store: RunStore): Promise<unknown> {
  switch (order.what) {
    case 'save': {
      const run = await store.create({
        id: 'a',
        name: 'First',
        config: stateOf(0).config,
        n_params: 1,
      });
      const bytes = [await run.save(stateOf(1)), await run.save(stateOf(2))];
      await run.saveText({ name: 'mine.txt', bytes: Uint8Array.of(104, 105) });
      await run.appendMetrics({ step: Float64Array.of(1), loss: Float64Array.of(3) });
      await run.appendMetrics({ step: Float64Array.of(2), loss: Float64Array.of(2) });
      return {
        bytes,
        list: await store.list(),
        storage: await store.storage(),
        refused: store.refused,
      };
    }
    case 'load': {
      const run = await store.open('a');
      const loaded = await run.load();
      const wanted = stateOf(loaded?.state.step ?? 0);
      const whole =
        [...wanted.parameters].every(([name, x]) =>
          loaded?.state.parameters.get(name)?.every((y, i) => Object.is(y, x[i])),
        ) &&
        [...wanted.optimizer].every(([name, x]) =>
          loaded?.state.optimizer.get(name)?.every((y, i) => Object.is(y, x[i])),
        );
      const text = await run.loadText();
      const metrics = await run.readMetrics();
      await run.close();
      return {
        step: loaded?.state.step,
        recovered: loaded?.recovered,
        whole,
        text: text && new TextDecoder().decode(text.bytes),
        steps: [...metrics.step],
      };
    }
    case 'hold':
      return (await store.open('a')).id;
    case 'save_forever': {
      const run = await store.open('a');
      for (let step = 3; ; step++) {
        await run.save(stateOf(step));
        if (step === 5) await answer(order, { started: true });
      }
    }
    case 'look':
      return { list: await store.list(), metrics: [...(await store.readMetrics('a')).step] };
    case 'fill':
      return (await store.open('a')).save({
        ...tinyState({ layout: 'gpt2', n_embd: 256 }),
        step: 9,
      });
    case 'delete':
      await store.delete('a');
      return {
        list: await store.list(),
        left: await (await OpfsFileSystem.open(order.folder)).list('runs'),
      };
    default:
      return order.what satisfies never;
  }
}

async function answer(order: Order, value: unknown): Promise<void> {
  const fs = await OpfsFileSystem.open('answers');
  // Written under another name and copied last would be atomic; here the closing brace tells that
  // it is whole.
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
