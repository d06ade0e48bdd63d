/**
 * Tasks that a tiny model learns by reinforcement within seconds. *Reversal*: a prompt has two words,
 * and the right answer is the two in reverse. *Favourite*: an answer is good if it contains one word,
 * which is the same for all prompts.
 */
import type { PromptExample } from '../common/index.ts';
import { parseStage, type StageInput } from '../config/stage/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import type { CheckedReward, EncodedPair, EncodedPrompt, StageData } from '../data/index.ts';
import { findObjective } from '../objectives/index.ts';
import { type ObjectiveTensor, Trainer, type TrainerState } from '../train/index.ts';
import { seededRandom } from '../data/random.ts';
import { pairsData, TOY_VOCAB } from './toy_pairs.ts';

const END = 1;
const ANSWER = 2;
const FIRST_WORD = 3;
const WORDS = Array.from({ length: TOY_VOCAB - FIRST_WORD }, (_, i) => FIRST_WORD + i);

/** An answer's text is its ids without the end token. */
const textOf = (ids: ArrayLike<number>): string =>
  Array.from(ids)
    .filter((id) => id !== END)
    .join(' ');

const example = (answer: string): PromptExample => ({
  prompt: '',
  kind: 'toy',
  answer,
  facts: {},
});

function rlData(prompts: readonly EncodedPrompt[], correct: CheckedReward['score']): StageData {
  const data = pairsData([], [], 12);
  return {
    ...data,
    chat: {
      ...data.chat,
      answerOf: (ids) => ({ text: textOf(ids), ended: ids[ids.length - 1] === END }),
    },
    prompts: { train: prompts, val: prompts },
    rewards: [
      { name: 'correct', help: '', score: correct },
      { name: 'ends', help: '', score: (_, { ended }) => Number(ended) },
    ],
  };
}

const learned = (prompt: readonly number[], answer: readonly number[]) => {
  const ids = Int32Array.from([...prompt, ...answer]);
  return { ids, mask: Uint8Array.from(ids, (_, i) => (i < prompt.length ? 0 : 1)) };
};

/** Two words, and the same in reverse. Prompts are those of all pairs of words. */
export function reversalData(): StageData {
  const pairs = WORDS.flatMap((a) => WORDS.map((b) => [a, b] as const));
  const promptOf = (a: number, b: number): number[] => [a, b, ANSWER];
  const prompts = pairs.map(([a, b]) => ({
    ids: Int32Array.from(promptOf(a, b)),
    example: example(textOf([b, a])),
  }));
  const data = rlData(prompts, ({ answer }, { text }) => Number(text === answer));
  const train = pairs.map(([a, b]) => learned(promptOf(a, b), [b, a, END]));
  return { ...data, examples: { train, val: train }, row_length: 8 };
}

const FAVOURITE = FIRST_WORD;
const OTHERS = WORDS.filter((word) => word !== FAVOURITE);

/** Two answers of one length to a prompt: the chosen one has the favourite word somewhere. */
function favouritePair(random: ReturnType<typeof seededRandom>): EncodedPair {
  const prompt = [random.pick(WORDS), ANSWER];
  const length = 2 + random.below(4);
  const others = (): number[] => Array.from({ length }, () => random.pick(OTHERS));
  const chosen = others();
  chosen[random.below(length)] = FAVOURITE;
  return {
    chosen: learned(prompt, [...chosen, END]),
    rejected: learned(prompt, [...others(), END]),
    margin: 0,
    example: { prompt: '', chosen: '', rejected: '' },
  };
}

/** Pairs that prefer the favourite word; the examples are both answers of each. */
export function favouriteData(): StageData {
  const random = seededRandom(3);
  const pairsOf = (count: number) => Array.from({ length: count }, () => favouritePair(random));
  const pairs = { train: pairsOf(1000), val: pairsOf(100) };
  const prompts = WORDS.flatMap((word) =>
    Array.from({ length: 32 }, () => ({
      ids: Int32Array.from([word, ANSWER]),
      example: example(''),
    })),
  );
  const isGood: CheckedReward['score'] = (_, { text }) =>
    Number(text.split(' ').includes(String(FAVOURITE)));
  const train = pairs.train.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  return {
    ...rlData(prompts, isGood),
    examples: { train, val: train.slice(0, 32) },
    pairs,
    true_reward: { name: 'favourite', help: '', score: isGood },
  };
}

export interface ToyRlRun {
  stage: StageInput;
  data: StageData;
  training?: Partial<RunConfig['training']>;
  model?: Partial<RunConfig['model']>;
  from?: TrainerState | null;
}

/** A trainer of two layers of 32, at step 0 or from a saved state. */
export async function toyRlTrainer(run: ToyRlRun): Promise<Trainer> {
  return Trainer.create(await toyRlOptions(run));
}

/** What such a trainer is created with. */
export async function toyRlOptions({ stage, data, training, model, from }: ToyRlRun) {
  const config = defaultConfig();
  const shape = { n_layer: 2, n_head: 4, n_embd: 32, block_size: 16, dropout: 0 };
  Object.assign(config.model, shape, model);
  Object.assign(
    config.training,
    { batch_size: 16, learning_rate: 3e-3, lr_schedule: 'constant', warmup_iters: 10 },
    { max_iters: 1000, weight_decay: 0, eval_iters: 2, seed: 1, beta2: 0.99 },
    training,
  );
  const empty = new Int32Array(0);
  const parsed = parseStage(stage);
  const objective = await findObjective(parsed.objective);
  if (!objective) throw new Error(`There is no objective ${parsed.objective}.`);
  return {
    config,
    objective,
    split: { train: empty, val: empty, bytes_per_token: new Uint16Array(TOY_VOCAB).fill(1) },
    stage: parsed,
    data,
    vocab_size: TOY_VOCAB,
    from: from ?? null,
  };
}

/** Takes steps; the metrics of each. */
export async function takeSteps(trainer: Trainer, steps: number) {
  const taken: Readonly<Partial<Record<string, number>>>[] = [];
  const drain = async (): Promise<void> => {
    for (const { metrics } of await trainer.drain()) taken.push(metrics);
  };
  for (let i = 0; i < steps; i++) {
    await trainer.takeStep();
    if (trainer.mustDrain) await drain();
  }
  await drain();
  return taken;
}

export async function evaluated(trainer: Trainer): Promise<Readonly<Record<string, number>>> {
  const { metrics } = await trainer.evaluate(() => Promise.resolve());
  const known = Object.entries(metrics).map(([name, value]) => [name, value ?? NaN] as const);
  return Object.fromEntries(known);
}

/** The weights of a trained run as those that the next stage starts from. */
export function startOf({ parameters }: TrainerState, reward?: TrainerState): TrainerState {
  const objective_tensors = new Map<string, ObjectiveTensor>();
  for (const prefix of reward ? ['reward.', 'value.'] : []) {
    for (const [name, data] of reward?.parameters ?? []) {
      objective_tensors.set(prefix + name, { shape: [data.length], data });
    }
    for (const [name, tensor] of reward?.objective_tensors ?? []) {
      objective_tensors.set(prefix + name, tensor);
    }
  }
  return { parameters, objective_tensors, optimizer: new Map(), step: 0, tokens: 0 };
}
