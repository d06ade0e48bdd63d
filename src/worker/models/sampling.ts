/** Answers of an open model to many prompts. */
import type { EvaluationSettings } from '../../common/index.ts';
import type { Answer } from '../../data/index.ts';
import { breathe } from '../../train/index.ts';
import { writesNothing } from './chat.ts';
import type { OpenModel } from './open_model.ts';

/** Prompts that are answered at once; a batch with fewer is filled up, so that its shape is kept. */
const ROWS = 16;
/** The worker answers its messages this often. */
const BREATHE_MS = 8;

export interface SampledAnswer extends Answer {
  ids: Int32Array;
}

export interface SamplingRequest extends Pick<EvaluationSettings, 'temperature' | 'seed'> {
  /** Null for a prompt that the model cannot read: its answer is empty. */
  prompts: readonly (Int32Array | null)[];
  max_new_tokens: number;
  /** Called as answers are done: it may throw, to end the work. */
  progress: (done: number) => void;
}

/** One answer to each prompt. With temperature 0 every token is the likeliest one. */
export async function sampleAnswers(
  model: OpenModel,
  { prompts, progress, ...options }: SamplingRequest,
): Promise<SampledAnswer[]> {
  if (model.isReward) throw writesNothing(model);
  const answers = prompts.map((): SampledAnswer => emptyAnswer(options.max_new_tokens));
  const readable = prompts.flatMap((ids, index) => (ids ? [{ ids, index }] : []));
  for (let first = 0; first < readable.length; first += ROWS) {
    progress(first);
    const batch = readable.slice(first, first + ROWS);
    const room = Math.min(...batch.map(({ ids }) => model.model.block_size - ids.length));
    const max_new_tokens = Math.min(options.max_new_tokens, room);
    const seed = (options.seed + first) % 2 ** 31;
    const rows = await answerBatch(model, batch, { ...options, max_new_tokens, seed });
    rows.forEach((ids, row) => {
      const index = batch[row]?.index ?? -1;
      const { text, ended } = model.format.answerOf(ids);
      const { max_new_tokens: max_tokens } = options;
      answers[index] = { text, ended, tokens: ids.length, max_tokens, ids };
    });
  }
  progress(readable.length);
  return answers;
}

const emptyAnswer = (max_tokens: number): SampledAnswer => ({
  text: '',
  ended: false,
  tokens: 0,
  max_tokens,
  ids: new Int32Array(),
});

async function answerBatch(
  model: OpenModel,
  batch: readonly { ids: Int32Array }[],
  { temperature, seed, max_new_tokens }: Omit<SamplingRequest, 'prompts' | 'progress'>,
): Promise<Int32Array[]> {
  const filled = Array.from({ length: ROWS }, (_, row) => [...(batch[row] ?? batch[0])!.ids]);
  const generator = await model.generator();
  const rows = filled.map((): number[] => []);
  let breathed = performance.now();
  const options = {
    temperature,
    top_k: 0,
    top_p: 1,
    min_p: 0,
    sample_seed: seed,
    max_new_tokens,
    stop_id: model.format.eos_token_id,
    vocab_limit: model.vocabLimit,
  };
  for await (const { row, choice } of generator.generateRows(filled, options)) {
    rows[row]?.push(choice.id);
    if (performance.now() - breathed < BREATHE_MS) continue;
    await breathe();
    breathed = performance.now();
  }
  return rows.slice(0, batch.length).map((ids) => Int32Array.from(ids));
}
