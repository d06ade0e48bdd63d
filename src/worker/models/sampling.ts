/** Answers of an open model to many prompts. */
import type { EvaluationSettings } from '../../common/index.ts';
import type { Answer } from '../../data/index.ts';
import { breathe } from '../../train/index.ts';
import { writesNothing } from './chat.ts';
import type { OpenModel } from './open_model.ts';

/** Prompts that are answered at once: between two batches the worker answers its messages. */
const ROWS = 64;
/** No token ends an answer. */
const NO_STOP = -1;

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
  const { temperature, seed, max_new_tokens } = options;
  for (let first = 0; first < readable.length; first += ROWS) {
    progress(first);
    await breathe();
    const batch = readable.slice(first, first + ROWS);
    const rollouts = await model.rollouts.generate({
      prompts: batch.map(({ ids }) => [...ids]),
      seed: (seed + first) % 2 ** 31,
      temperature,
      max_new_tokens,
      stop_id: model.format.eos_token_id ?? NO_STOP,
      vocab_limit: model.vocabLimit,
    });
    rollouts.forEach(({ ids, ended }, row) => {
      const { text } = model.format.answerOf(ids);
      const answer = { text, ended, tokens: ids.length, max_tokens: max_new_tokens, ids };
      answers[batch[row]?.index ?? -1] = answer;
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
