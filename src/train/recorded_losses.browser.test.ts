/**
 * Losses, gradient norms and final weights, bit for bit as recorded. A refactoring must not change
 * a single bit; an issue that changes a random draw re-records the values once and says so in
 * docs/LOG.md:
 *
 *     VITE_RECORD_LOSSES=1 npx vitest run --project browser src/train/recorded_losses
 *
 * Values are keyed by the browser's full version, because the software GPU adapter comes with it.
 * Under a version without a recording, losses are compared with the newest one at a relative 1e-5.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { commands } from 'vitest/browser';
import { setProgramMode } from '../backend/index.ts';
import { defaultConfig, PRESETS, type RunConfig } from '../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../data/index.ts';
import { Trainer } from './index.ts';
import { pretrain } from '../objectives/index.ts';
import { type BuildName, downloadBuild, setBuildLoader } from '../processor/index.ts';
import { startTested } from '../testing/start_once.ts';

interface Recording {
  losses: number[];
  grad_norms: number[];
  /** FNV-1a over the bits of all weights, by name. */
  weights: string;
}

type Recordings = Record<string, Recording>;

const files = import.meta.glob<Recordings>('./recorded/*.json', { eager: true, import: 'default' });
const recorded = new Map(
  Object.entries(files).map(([path, values]) => [path.replace(/^.*\/|\.json$/g, ''), values]),
);
const recording = import.meta.env.VITE_RECORD_LOSSES === '1';
const made: Recordings = {};

/** Names, two layers, dropout on: small enough for a software adapter. */
function tiny(): RunConfig {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 2, n_head: 2, n_embd: 16, block_size: 8, dropout: 0.1 });
  Object.assign(config.training, { batch_size: 8, warmup_iters: 4, max_iters: 40 });
  return config;
}

function namesPreset(): RunConfig {
  const preset = PRESETS.find((one) => one.id === 'names');
  if (!preset) throw new Error('There is no preset "names".');
  return structuredClone(preset.config);
}

interface Case {
  name: string;
  /** `wasm` is tfjs's own; `processor` our engine, in the build without relaxed SIMD. */
  backend: 'wasm' | 'webgpu' | 'processor';
  steps: number;
  config: () => RunConfig;
  mode?: 'op_by_op';
}

function withTraining(changes: Partial<RunConfig['training']>): () => RunConfig {
  return () => {
    const config = tiny();
    Object.assign(config.training, changes);
    return config;
  };
}

function llama(): RunConfig {
  const config = tiny();
  Object.assign(config.model, { layout: 'llama', n_head: 4, n_kv_head: 2, qk_norm: true });
  return config;
}

const accumulated = { batch_size: 4, gradient_accumulation_steps: 2 };
const CASES: readonly Case[] = [
  { name: 'names by wasm', backend: 'wasm', steps: 50, config: namesPreset },
  { name: 'names by the processor', backend: 'processor', steps: 50, config: namesPreset },
  { name: 'replayed', backend: 'webgpu', steps: 20, config: tiny },
  { name: 'op by op', backend: 'webgpu', steps: 20, config: tiny, mode: 'op_by_op' },
  { name: 'fp16', backend: 'webgpu', steps: 20, config: withTraining({ mixed_precision: 'fp16' }) },
  { name: 'accumulated', backend: 'webgpu', steps: 20, config: withTraining(accumulated) },
  {
    name: 'checkpointed',
    backend: 'webgpu',
    steps: 20,
    config: withTraining({ activation_checkpointing: true }),
  },
  { name: 'Muon', backend: 'webgpu', steps: 20, config: withTraining({ optimizer: 'muon' }) },
  { name: 'Llama layout', backend: 'webgpu', steps: 20, config: llama },
];

/** Results of relaxed SIMD depend on the processor, so recordings are of the builds without it. */
const WITHOUT_RELAXED: Record<BuildName, BuildName> = {
  plain: 'plain',
  plain_threads: 'plain_threads',
  relaxed: 'plain',
  relaxed_threads: 'plain_threads',
};

async function run({ config: makeConfig, steps }: Case): Promise<Recording> {
  const config = makeConfig();
  const split = makeSplit(await loadCorpus(config.data), config.data);
  const tokenizer = await makeTokenizer(config.tokenizer, split);
  const tokens = makeTokenSplit(split, tokenizer);
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: tokens,
    vocab_size: tokenizer.vocab_size,
  });
  const losses: number[] = [];
  const grad_norms: number[] = [];
  for (let step = 0; step < steps; step++) {
    await trainer.takeStep();
    for (const result of await trainer.drain()) {
      losses.push(result.loss);
      grad_norms.push(result.grad_norm);
    }
  }
  const { parameters } = await trainer.state();
  trainer.dispose();
  return { losses, grad_norms, weights: hashOf(parameters) };
}

/** FNV-1a, 32 bits, over the words of every tensor in the order of their names. */
function hashOf(tensors: ReadonlyMap<string, Float32Array>): string {
  let hash = 0x811c9dc5;
  for (const [, values] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const word of new Uint32Array(values.buffer, values.byteOffset, values.length)) {
      hash = Math.imul(hash ^ word, 0x01000193);
    }
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Such as 156.0.8078.108. */
async function browserVersion(): Promise<string> {
  const agent: unknown = Reflect.get(navigator, 'userAgentData');
  if (typeof agent === 'object' && agent !== null && 'getHighEntropyValues' in agent) {
    const ask = agent.getHighEntropyValues as (hints: string[]) => Promise<{
      fullVersionList?: { brand: string; version: string }[];
    }>;
    const { fullVersionList = [] } = await ask.call(agent, ['fullVersionList']);
    const chromium = fullVersionList.find(({ brand }) => brand === 'Chromium');
    if (chromium) return chromium.version;
  }
  return navigator.userAgent;
}

function newest(): Recordings {
  const versions = [...recorded.keys()].sort((a, b) =>
    a.localeCompare(b, undefined, { numeric: true }),
  );
  return recorded.get(versions.at(-1) ?? '') ?? {};
}

describe('recorded losses', () => {
  let version = '';
  beforeAll(async () => {
    setBuildLoader((name) => downloadBuild(WITHOUT_RELAXED[name]));
    version = await browserVersion();
  });
  afterEach(() => setProgramMode('replay'));
  afterAll(async () => {
    if (!recording) return;
    const text = `${JSON.stringify(made, null, 1)}\n`;
    await commands.writeFile(`src/train/recorded/${version}.json`, text);
  });

  it.each(CASES)('of $name are the same to the bit', async (one) => {
    await startTested(one.backend);
    if (one.mode) setProgramMode(one.mode);
    const now = await run(one);
    made[one.name] = now;
    if (recording) return;
    const exact = recorded.get(version)?.[one.name];
    if (exact) {
      expect(now).toEqual(exact);
      return;
    }
    const near = newest()[one.name];
    if (!near) throw new Error(`Nothing is recorded for ${one.name}.`);
    console.log(`Nothing is recorded for ${version}; comparing at rtol 1e-5.`);
    now.losses.forEach((loss, i) => {
      const expected = near.losses[i] ?? NaN;
      expect(Math.abs(loss - expected) / expected, `loss of step ${i + 1}`).toBeLessThan(1e-5);
    });
  });
});
