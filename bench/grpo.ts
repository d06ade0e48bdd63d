/**
 * Measures a step of GRPO: sampling answers, rewarding them in code, and the update. Prompts are
 * random tokens and weights are random, so that hardly any answer ends early.
 */
import { submitStatistics } from '../src/backend/index.ts';
import { type BackendName, type ResolvedModel } from '../src/config/index.ts';
import { parseStage } from '../src/config/stage/index.ts';
import { byteTokenizer, type StageData } from '../src/data/index.ts';
import { grpo } from '../src/objectives/grpo.ts';
import { Rollouts } from '../src/rollout/index.ts';
import { Trainer } from '../src/train/index.ts';
import { CONFIGS, type ConfigName, mulberry, type Precision, runConfig } from './configs.ts';
import { startDevice } from './device.ts';
import { mean, median } from './statistics.ts';

export interface GrpoOptions {
  config: ConfigName;
  backend: BackendName;
  precision: Precision;
  /** Prompts of a step, and answers to each. */
  prompts: number;
  answers: number;
  prompt_tokens: number;
  answer_tokens: number;
  /** Timed steps. */
  steps: number;
  seed: number;
  /** Threads of the engine on the processor; 0 for as many as are fastest. */
  threads: number;
}

export interface GrpoRow {
  config: string;
  backend: string;
  mode: 'grpo';
  /** Milliseconds of a step: median and mean. */
  ms: number;
  meanMs: number;
  /** The rollout of a step by itself: median, with its upload and readback. */
  rolloutMs: number;
  /** `ms` less `rolloutMs`: rewards, batches, micro-batch and update. */
  restMs: number;
  /** JavaScript per step for encoding and submitting. */
  encodeMs: number;
  /** Dispatches of rollout and update; null without programs. */
  dispatches: number | null;
  /** Tokens per second, of answers. */
  tokensPerSec: number;
  sizes: string;
  adapter: string;
}

const WARM_UP = 10;

/** Throws if the device reports an error. */
export async function measureGrpo(
  options: GrpoOptions,
  log: (line: string) => void,
): Promise<GrpoRow> {
  const { device, check } = await startDevice(options);
  const trainer = await grpoTrainer(options);
  const { times, encodeMs } = await timeSteps(trainer, options.steps);
  const rollout = await timeRollouts(trainer, options);
  check();
  const ms = median(times);
  const { prompts, answers, prompt_tokens, answer_tokens } = options;
  const { dispatchesPerStep: ofUpdate } = trainer;
  const row: GrpoRow = {
    config: options.config,
    backend: device.backend,
    mode: 'grpo',
    ms,
    meanMs: mean(times),
    rolloutMs: rollout.ms,
    restMs: ms - rollout.ms,
    encodeMs,
    dispatches:
      ofUpdate === null || rollout.dispatches === null ? null : ofUpdate + rollout.dispatches,
    tokensPerSec: (1000 * prompts * answers * answer_tokens) / ms,
    sizes: `${prompts} x ${answers} x ${answer_tokens} tokens after ${prompt_tokens}`,
    adapter: device.adapter,
  };
  trainer.dispose();
  log(
    `${row.config} ${row.backend} GRPO ${row.sizes}: ${row.ms.toFixed(1)} ms a step, ` +
      `${row.rolloutMs.toFixed(1)} ms of them rollouts`,
  );
  return row;
}

function grpoTrainer(options: GrpoOptions): Promise<Trainer> {
  const { config: name, seed, precision, prompts, answers, answer_tokens } = options;
  const config = runConfig(name, seed, 'none', precision);
  config.model.block_size = Math.max(
    config.model.block_size,
    options.prompt_tokens + answer_tokens,
  );
  config.training.batch_size = prompts;
  const stage = parseStage({
    objective: 'grpo',
    grpo: { num_generations: answers, max_completion_length: answer_tokens, beta: 0 },
  });
  const { vocab_size } = CONFIGS[name];
  const empty = new Int32Array(0);
  const split = { train: empty, val: empty, bytes_per_token: new Uint16Array(vocab_size).fill(1) };
  const data = randomPrompts(options);
  return Trainer.create({ config, objective: grpo, split, stage, data, vocab_size });
}

/** Prompts of random tokens; the reward is the share of even ids. */
function randomPrompts({ config, seed, prompts, prompt_tokens }: GrpoOptions): StageData {
  const { vocab_size } = CONFIGS[config];
  const next = mulberry(seed);
  const example = { prompt: '', kind: 'bench', answer: null, facts: {} };
  const train = Array.from({ length: 64 * prompts }, () => ({
    ids: Int32Array.from({ length: prompt_tokens }, () => Math.floor(next() * vocab_size)),
    example,
  }));
  const unused = (): never => {
    throw new Error('The bench encodes no text.');
  };
  const isEven = (code: string): number => (code.charCodeAt(0) % 2 === 0 ? 1 : 0);
  return {
    chat: {
      tokenizer: byteTokenizer(),
      pad_token_id: 0,
      // No token: every answer has its full length.
      eos_token_id: -1,
      chat_template: '',
      encode: unused,
      encodePrompt: unused,
      encodeAnswer: unused,
      answerOf: (ids) => ({ text: String.fromCharCode(...Array.from(ids)), ended: false }),
    },
    examples: { train: [], val: [] },
    pairs: { train: [], val: [] },
    prompts: { train, val: [] },
    rewards: [
      {
        name: 'correct',
        help: '',
        score: (_, { text }) => mean([...text].map(isEven)),
      },
    ],
    true_reward: null,
    row_length: 0,
    notes: [],
  };
}

/** Milliseconds between two steps: a rollout waits for the update before it. */
async function timeSteps(
  trainer: Trainer,
  steps: number,
): Promise<{ times: number[]; encodeMs: number }> {
  const times: number[] = [];
  let encodedBefore = 0;
  for (let step = 0; step < WARM_UP + steps; step++) {
    if (step === WARM_UP) encodedBefore = submitStatistics().encodeMs;
    const begin = performance.now();
    await trainer.takeStep();
    await trainer.follow(false);
    if (step >= WARM_UP) times.push(performance.now() - begin);
  }
  const encodeMs = (submitStatistics().encodeMs - encodedBefore) / steps;
  await trainer.drain();
  return { times, encodeMs };
}

async function timeRollouts(
  { model, stores }: { model: ResolvedModel; stores: Trainer['stores'] },
  options: GrpoOptions,
): Promise<{ ms: number; dispatches: number | null }> {
  const { prompts, answers, prompt_tokens, answer_tokens, steps } = options;
  const rows = prompts * answers;
  const { weights, rotary } = stores;
  const sizes = { rows, prompt_length: prompt_tokens, max_new_tokens: answer_tokens };
  const rollouts = await Rollouts.create({ model, weights, rotary }, sizes);
  const asked = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: prompt_tokens }, (_, i) => (row + i) % model.vocab_size),
  );
  const times: number[] = [];
  for (let step = 0; step < WARM_UP + steps; step++) {
    const begin = performance.now();
    await rollouts.generate({
      prompts: asked,
      seed: step,
      temperature: 1,
      max_new_tokens: answer_tokens,
      stop_id: -1,
    });
    if (step >= WARM_UP) times.push(performance.now() - begin);
  }
  const { dispatches } = rollouts;
  rollouts.dispose();
  return { ms: median(times), dispatches };
}
