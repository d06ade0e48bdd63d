/** Members with real runs, on the engine on the processor. */
import { beforeAll, expect, it } from 'vitest';
import { PRESETS } from '../../config/index.ts';
import { startEngine } from '../../testing/node_engine.ts';
import { Trainer } from '../../train/index.ts';
import { hashOf } from './diloco.ts';
import { LocalTrainer, trainerOptions } from './testing_local_trainer.ts';
import { planOf, TestRoom } from './testing_room.ts';

beforeAll(startEngine);

const config = structuredClone(PRESETS.find(({ id }) => id === 'names')!.config);
Object.assign(config.model, { n_layer: 1, n_embd: 32 });
Object.assign(config.training, { max_iters: 60, batch_size: 16, eval_iters: 4 });

it('two members come within 3 per cent of one with twice the batch, with the same bits', async () => {
  const options = await trainerOptions(config);
  const trainers = [await LocalTrainer.create(options), await LocalTrainer.create(options)];
  const parameters = await trainers[0]!.trainer.readParameters();
  const plan = planOf(parameters.length, { local_steps: 10, steps: 60, outer_momentum: 0.8 });
  const room = new TestRoom({ plan, parameters });
  for (const trainer of trainers) room.add(trainer);
  await room.run(2);
  room.host.start();
  await room.run(2000, () => room.guests.every(({ member }) => member.state === 'ended'));
  const bits = room.guests.map(({ member }) => member.replica.hash);
  expect(new Set([...bits, hashOf(room.optimizer.state.parameters)]).size).toBe(1);
  expect(hashOf(await trainers[1]!.trainer.readParameters())).toBe(bits[0]);
  const losses = room.host.memory.evaluations.map(({ val_loss }) => val_loss);
  expect(losses).toHaveLength(7);
  const single = structuredClone(options.config);
  single.training.batch_size *= 2;
  const loss = await lossOf(await Trainer.create({ ...options, config: single }));
  expect(losses.at(-1)! / loss).toBeLessThan(1.03);
  for (const { trainer } of trainers) trainer.dispose();
});

async function lossOf(trainer: Trainer): Promise<number> {
  for (let step = 0; step < 60; step++) {
    await trainer.takeStep();
    await trainer.drain();
  }
  const { score } = await trainer.evaluate(() => Promise.resolve());
  trainer.dispose();
  return score ?? NaN;
}
