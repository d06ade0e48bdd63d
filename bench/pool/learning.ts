/**
 * What DiLoCo learns on this project's presets, in Node on the engine on the processor: N members
 * with a shard each, against one browser with N times the batch and as many steps, and against each
 * member alone on its shard.
 *
 *     npx vite build --config bench/pool/vite.config.ts
 *     node dist-pool/learning.js [--preset names] [--members 4] [--steps 400] [--local-steps 20]
 *         [--seeds 1,2,3] [--outer-lr 0.7] [--momentum 0.9] [--arms single,pool,alone]
 *         [--set model.n_layer=2]...
 *
 * Prints one JSON line per arm and seed. The validation loss is that of the last weights.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { isFieldPath, PRESETS, type RunConfig, withField } from '../../src/config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../../src/data/index.ts';
import { pretrain } from '../../src/objectives/index.ts';
import { meanOf, outerGradient, OuterOptimizer } from '../../src/parallel/pool/diloco.ts';
import { setBuildLoader } from '../../src/processor/index.ts';
import { startTested } from '../../src/testing/start_once.ts';
import { Trainer, type TrainerOptions } from '../../src/train/index.ts';

const { values } = parseArgs({
  options: {
    preset: { type: 'string', default: 'names' },
    members: { type: 'string', default: '4' },
    steps: { type: 'string' },
    'local-steps': { type: 'string', default: '20' },
    seeds: { type: 'string', default: '1,2,3' },
    'outer-lr': { type: 'string', default: '0.7' },
    momentum: { type: 'string', default: '0.9' },
    arms: { type: 'string', default: 'single,pool,alone' },
    set: { type: 'string', multiple: true, default: [] },
    builds: { type: 'string', default: 'assembly/build' },
  },
});

const members = Number(values.members);
const local_steps = Number(values['local-steps']);
const outer = {
  local_steps,
  outer_learning_rate: Number(values['outer-lr']),
  outer_momentum: Number(values.momentum),
};

function configOf(seed: number): RunConfig {
  const preset = PRESETS.find(({ id }) => id === values.preset);
  if (!preset) throw new Error(`There is no preset ${values.preset}.`);
  let config = structuredClone(preset.config);
  for (const change of values.set) {
    const [path = '', value = ''] = change.split('=');
    if (!isFieldPath(path)) throw new Error(`There is no field ${path}.`);
    config = withField(config, path, Number.isNaN(Number(value)) ? value : Number(value));
  }
  config.training.seed = seed;
  if (values.steps) config.training.max_iters = Number(values.steps);
  config.training.eval_iters = 50;
  return config;
}

async function optionsOf(config: RunConfig): Promise<TrainerOptions> {
  const corpus = await loadCorpus(config.data);
  const split = makeSplit(corpus, { val_fraction: config.data.val_fraction });
  const tokenizer = await makeTokenizer(config.tokenizer, split);
  return {
    config,
    objective: pretrain,
    split: makeTokenSplit(split, tokenizer),
    vocab_size: tokenizer.vocab_size,
  };
}

async function take(trainer: Trainer, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await trainer.takeStep();
    if (trainer.mustDrain) await trainer.drain();
  }
  await trainer.drain();
}

async function lossOf(trainer: Trainer): Promise<number> {
  return (await trainer.evaluate(() => Promise.resolve())).score ?? NaN;
}

/** Steps of `config.training.max_iters` with `batch_size` rows, on one shard or on the whole text. */
async function one(options: TrainerOptions, batch_size: number, index?: number): Promise<number> {
  const config = structuredClone(options.config);
  config.training.batch_size = batch_size;
  const trainer = await Trainer.create({ ...options, config });
  if (index !== undefined) trainer.moveTo(0, { index, count: members });
  await take(trainer, config.training.max_iters);
  const loss = await lossOf(trainer);
  trainer.dispose();
  return loss;
}

async function pool(options: TrainerOptions): Promise<number> {
  const trainers: Trainer[] = [];
  for (let index = 0; index < members; index++) {
    const trainer = await Trainer.create(options);
    trainer.moveTo(0, { index, count: members });
    trainers.push(trainer);
  }
  const [first] = trainers;
  if (!first) return NaN;
  const optimizer = OuterOptimizer.fresh(outer, await first.readParameters());
  const { max_iters } = options.config.training;
  for (let step = 0; step < max_iters; step += local_steps) {
    const gradients = [];
    for (const trainer of trainers) {
      trainer.writeParameters(optimizer.state.parameters);
      await take(trainer, Math.min(local_steps, max_iters - step));
      gradients.push(outerGradient(optimizer.state.parameters, await trainer.readParameters()));
    }
    optimizer.apply(meanOf(gradients));
  }
  first.writeParameters(optimizer.state.parameters);
  const loss = await lossOf(first);
  for (const trainer of trainers) trainer.dispose();
  return loss;
}

async function main(): Promise<void> {
  setBuildLoader(async (name) =>
    WebAssembly.compile(readFileSync(`${values.builds}/${name}.wasm`)),
  );
  await startTested('processor');
  const { preset, arms } = values;
  for (const seed of values.seeds.split(',').map(Number)) {
    const options = await optionsOf(configOf(seed));
    const { batch_size, max_iters: steps } = options.config.training;
    const facts = { preset, seed, members, steps, batch_size, ...outer };
    const print = (arm: string, losses: number[]): void =>
      console.log(JSON.stringify({ arm, ...facts, losses }));
    if (arms.includes('single')) print('single', [await one(options, batch_size * members)]);
    if (arms.includes('pool')) print('pool', [await pool(options)]);
    if (!arms.includes('alone')) continue;
    const alone: number[] = [];
    for (let i = 0; i < members; i++) alone.push(await one(options, batch_size, i));
    print('alone', alone);
  }
}

await main();
