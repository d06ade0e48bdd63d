/**
 * A preference that a tiny model learns within seconds: a prompt names a token, the chosen answer
 * contains it and the rejected one does not. Answers of both kinds have the same lengths.
 */
import { parseStage, type StageInput } from '../config/stage/index.ts';
import type { EncodedExample, EncodedPair, StageData } from '../data/index.ts';
import { byteTokenizer } from '../data/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { type Objective } from '../objectives/index.ts';
import { Trainer, type TrainerOptions, type TrainerState } from '../train/index.ts';

/** Ids: padding, the end of an answer, the beginning of an answer, then words. */
const PAD = 0;
const END = 1;
const ANSWER = 2;
const FIRST_WORD = 3;
export const TOY_VOCAB = 9;
const WORDS = TOY_VOCAB - FIRST_WORD;
export const TOY_ROW_LENGTH = 10;

/** Numbers from 0 to below `n` (a linear congruential generator; Numerical Recipes). */
function draws(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

function encoded(prompt: readonly number[], answer: readonly number[]): EncodedExample {
  const ids = Int32Array.from([...prompt, ...answer, END]);
  return { ids, mask: Uint8Array.from(ids, (_, i) => (i < prompt.length ? 0 : 1)) };
}

function toyPair(draw: (n: number) => number): EncodedPair {
  const topic = FIRST_WORD + draw(WORDS);
  const other = (): number => FIRST_WORD + ((topic - FIRST_WORD + 1 + draw(WORDS - 1)) % WORDS);
  const length = 2 + draw(4);
  const rejected = Array.from({ length }, other);
  const chosen = Array.from({ length }, other);
  chosen[draw(length)] = topic;
  const prompt = [topic, ANSWER];
  return {
    chosen: encoded(prompt, chosen),
    rejected: encoded(prompt, rejected),
    margin: 0,
    example: { prompt: '', chosen: '', rejected: '' },
  };
}

export function toyPairs(count: number, seed: number): EncodedPair[] {
  const draw = draws(seed);
  return Array.from({ length: count }, () => toyPair(draw));
}

/** Data of a stage that has nothing but pairs; token 0 is the padding. */
export function pairsData(
  train: readonly EncodedPair[],
  val: readonly EncodedPair[],
  row_length: number,
): StageData {
  const unused = (): never => {
    throw new Error('The toy has no text.');
  };
  return {
    chat: {
      tokenizer: byteTokenizer(),
      pad_token_id: PAD,
      eos_token_id: END,
      chat_template: '',
      encode: unused,
      encodePrompt: unused,
      encodeAnswer: unused,
      answerOf: unused,
    },
    examples: { train: [], val: [] },
    pairs: { train, val },
    prompts: { train: [], val: [] },
    rewards: [],
    true_reward: null,
    row_length,
    notes: [],
  };
}

export interface ToyRun {
  objective: Objective;
  stage: StageInput;
  data: StageData;
  training?: Partial<RunConfig['training']>;
  model?: Partial<RunConfig['model']>;
  from?: TrainerState | null;
}

export function toyTrainer({
  objective,
  stage,
  data,
  training,
  model,
  from,
}: ToyRun): Promise<Trainer> {
  const config = defaultConfig();
  const shape = { n_layer: 2, n_head: 4, n_embd: 32, block_size: 16, dropout: 0.1 };
  Object.assign(config.model, shape, model);
  Object.assign(
    config.training,
    { batch_size: 32, learning_rate: 3e-3, lr_schedule: 'constant', warmup_iters: 10 },
    { max_iters: 1000, weight_decay: 0, eval_iters: 10, seed: 1 },
    training,
  );
  const empty = new Int32Array(0);
  const options: TrainerOptions = {
    config,
    objective,
    split: { train: empty, val: empty, bytes_per_token: new Uint16Array(TOY_VOCAB).fill(1) },
    stage: parseStage(stage),
    data,
    vocab_size: TOY_VOCAB,
    from: from ?? null,
  };
  return Trainer.create(options);
}

/** Metrics of an evaluation after this many more steps. */
export async function evaluatedAfter(trainer: Trainer, steps: number) {
  for (let i = 0; i < steps; i++) {
    await trainer.takeStep();
    if (trainer.mustDrain) await trainer.drain();
  }
  const results = await trainer.drain();
  const { metrics } = await trainer.evaluate(() => Promise.resolve());
  return { ...results.at(-1)?.metrics, ...metrics };
}
