/** The hook of a headless page: it passes records on, and keeps those only that nobody has got. */
import { afterEach, expect, it, vi } from 'vitest';
import type { Event, HeadlessHook, PagePort } from '../protocol/index.ts';
import { Client } from './client.ts';
import { installHeadless, MAX_WAITING } from './headless.ts';
import { createStores } from './stores.ts';

let emit: (event: Event) => void = () => undefined;
let client: Client;
const port = (): PagePort => ({
  send: () => undefined,
  close: () => undefined,
  onEvent: (listener) => {
    emit = listener;
  },
  onDeath: () => undefined,
});

function install(): HeadlessHook {
  const page: { terrarium?: HeadlessHook } = {};
  vi.stubGlobal('window', page);
  client = new Client(createStores(), port);
  client.open();
  installHeadless(client);
  if (!page.terrarium) throw new Error('There is no hook.');
  return page.terrarium;
}

afterEach(() => {
  client.stop();
  vi.unstubAllGlobals();
});

const metrics = (step: number): void =>
  emit({
    type: 'metrics',
    columns: { step: Float64Array.of(step), 'train/loss': Float64Array.of(1) },
  });

/** Steps that a new listener gets at once. */
function waiting(hook: HeadlessHook): number[] {
  const steps: number[] = [];
  hook.onRecord(({ step }) => steps.push(step))();
  return steps;
}

it('passes every record on, and keeps none that somebody has got', () => {
  const hook = install();
  metrics(1);
  const steps: number[] = [];
  const unsubscribe = hook.onRecord(({ step }) => steps.push(step));
  for (let step = 2; step <= 14_000; step++) metrics(step);
  expect(steps).toEqual(Array.from({ length: 14_000 }, (_, i) => i + 1));
  expect(waiting(hook)).toEqual([]);
  unsubscribe();
  metrics(14_001);
  expect(waiting(hook)).toEqual([14_001]);
});

it('keeps the latest records, and no more, while nobody listens', () => {
  const hook = install();
  for (let step = 1; step <= 2 * MAX_WAITING + 5; step++) metrics(step);
  const steps = waiting(hook);
  expect([steps.length, steps.at(-1)]).toEqual([MAX_WAITING, 2 * MAX_WAITING + 5]);
});
