/** What PPO and GRPO have in common: sampling answers, and the programs that score their tokens. */
import { neg, type Tensor } from '@tensorflow/tfjs-core';
import { drawn } from '../../data/stages/batches.ts';
import { type LossContext, tokenLosses } from '../../model/index.ts';
import type { Rollout } from '../../rollout/index.ts';
import { rowSeed } from '../../ops/rollout_token/sampler.ts';
import { type SourceContext, stageOf } from '../objective.ts';
import { type AnswerRow, answerBatch, inGroups, perAnswer } from './answer_rows.ts';

/** Log-probabilities of the targets [tokens] at the temperature that answers are sampled at. */
export function logpsAt(
  { forward, hidden, logits_chunk }: LossContext,
  temperature: number,
): Tensor {
  return neg(tokenLosses(forward, hidden, logits_chunk, temperature).loss);
}

export interface PhaseOptions {
  /** Rollouts before this one in the run; what is sampled is a function of it and the seed. */
  phase: number;
  /** Different prompts, and answers to each. */
  prompts: number;
  answers: number;
  temperature: number;
  max_new_tokens: number;
}

/** Answers to the training prompts of a phase; answers to one prompt follow one another. */
export async function sampleAnswers(
  context: SourceContext,
  { phase, prompts, answers, temperature, max_new_tokens }: PhaseOptions,
): Promise<(Rollout & Pick<AnswerRow, 'prompt' | 'prompt_ids'>)[]> {
  const { data } = stageOf(context);
  const { train } = data.prompts;
  const { seed } = context.config.training;
  const order = { examples: Array.from(train.keys()), seed, step: phase };
  const asked = drawn(order, prompts).flatMap((prompt) =>
    Array.from({ length: answers }, () => prompt),
  );
  const idsOf = (prompt: number): Int32Array => train[prompt]?.ids ?? new Int32Array();
  const rollouts = await context.programs.rollouts({
    prompts: asked.map((prompt) => [...idsOf(prompt)]),
    seed: rowSeed(seed, phase) >>> 1,
    temperature,
    max_new_tokens,
    stop_id: data.chat.eos_token_id,
    vocab_limit: data.chat.tokenizer.vocab_size,
  });
  return rollouts.map((rollout, i) => {
    const prompt = asked[i] ?? 0;
    return { ...rollout, prompt, prompt_ids: idsOf(prompt) };
  });
}

/** Values of one of the objective's programs at the tokens of answers, micro-batch by micro-batch. */
export async function valuesOfAnswers(
  context: SourceContext,
  name: string,
  {
    rows,
    batch_size,
    block_size,
  }: { rows: readonly AnswerRow[]; batch_size: number; block_size: number },
): Promise<Float32Array[]> {
  const { pad_token_id } = stageOf(context).data.chat;
  const shape = { batch_size, block_size, pad_token_id, names: [], weights: [], shares: [] };
  const values: Float32Array[] = [];
  for (const group of inGroups(rows, batch_size)) {
    const batch = answerBatch(group, { ...shape, row_offset: 0 });
    values.push(...perAnswer(await context.programs.run(name, batch), group, block_size));
  }
  return values;
}
