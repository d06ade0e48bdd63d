/** The run of a page as a member of a room. */
import { afterEach, describe, expect, it } from 'vitest';
import { defaultConfig, withField } from '../../config/index.ts';
import { planOf } from '../../parallel/pool/testing_room.ts';
import { setField } from '../form.ts';
import { RunTrainer } from './run_trainer.ts';
import { INITIAL, newPage } from './testing_worker.ts';

const clients: ReturnType<typeof newPage>['client'][] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.stop();
});
function newTrainer() {
  const page = newPage();
  clients.push(page.client);
  return { ...page, trainer: new RunTrainer(page.client) };
}

const shard = { index: 1, count: 2 };
const base = withField(defaultConfig(), 'training.batch_size', 8);
const config = withField(base, 'data.corpus', 'own');
const text = { reading: { name: 'fox.txt' }, bytes: new TextEncoder().encode('the fox') };

describe('preparing', () => {
  it('takes the recipe and the text of the room, and the backend of the device', async () => {
    const { trainer, client, worker } = newTrainer();
    setField(client.stores.form, 'runtime.backend', 'wasm');
    const plan = { ...planOf(INITIAL.length), config: { ...config } };
    expect(await trainer.prepare(plan, text)).toBe(INITIAL.length);
    const [start] = worker.sentOf('start');
    expect(start).toMatchObject({ paused: true, name: plan.name, text: { name: 'fox.txt' } });
    expect(start?.config.training.batch_size).toBe(8);
    expect(start?.config.runtime.backend).toBe('wasm');
    expect(await trainer.prepare(plan, text)).toBe(INITIAL.length);
    expect(worker.sentOf('start')).toHaveLength(1);
  });
  it('rejects with the sentence of a run that does not start', async () => {
    const { trainer, worker } = newTrainer();
    worker.refusal = 'The text is empty.';
    await expect(trainer.begin(defaultConfig(), 'Room')).rejects.toThrow(
      'The text is empty. Hint.',
    );
  });
});

describe('a round', () => {
  it('trains from the given weights, and reports steps, tokens and the mean loss', async () => {
    const { trainer } = newTrainer();
    await trainer.begin(base, 'Room');
    const parameters = Float32Array.of(1, 1, 1);
    const result = await trainer.train({ parameters, step: 4, steps: 2, shard }, () => undefined);
    const { block_size } = base.model;
    expect(result).toMatchObject({ steps: 2, tokens: 2 * 8 * block_size });
    // From 1 a tenth of the way to 2, twice: losses 1 and 0.9.
    expect(result?.loss).toBeCloseTo(0.95, 6);
    expect(result?.parameters[0]).toBeCloseTo(1.19, 6);
  });
  it('gives nothing if it is cancelled, and the next one is whole', async () => {
    const { trainer, worker } = newTrainer();
    await trainer.begin(base, 'Room');
    worker.isSlow = true;
    const work = { parameters: INITIAL.slice(), step: 0, steps: 5, shard };
    const cancelled = trainer.train(work, () => undefined);
    trainer.cancel();
    expect(await cancelled).toBeNull();
    worker.isSlow = false;
    expect(await trainer.train(work, () => undefined)).toMatchObject({ steps: 5 });
  });
  it('evaluates other weights without a step', async () => {
    const { trainer, worker } = newTrainer();
    await trainer.begin(base, 'Room');
    expect(await trainer.evaluate(Float32Array.of(2, 0, 0))).toBeCloseTo(0.5, 6);
    expect(worker.sentOf('train_round').every(({ steps }) => steps === 0)).toBe(true);
  });
});

it('keeps the last weights as the run, which is saved and released', async () => {
  const { trainer, worker, disk } = newTrainer();
  await trainer.begin(base, 'Room');
  const last = Float32Array.of(7, 8, 9);
  await trainer.finish(last);
  expect(disk.weights.get(trainer.run ?? '')).toEqual(last);
  expect(worker.sent.map(({ type }) => type).slice(-3)).toEqual(['save', 'pause', 'end_rounds']);
  expect(worker.sentOf('end_rounds').at(-1)).toMatchObject({ hold: false });
});
