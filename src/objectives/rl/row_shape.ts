/** How long the rows of an RL stage are. */
import { type ObjectiveSetting, stageOf } from '../objective.ts';

/** Rows are a multiple of this, if the context allows, so that kernels use their best tiles. */
const MULTIPLE = 8;

/**
 * Tokens of a row: the longest training or held-out prompt and the longest answer.
 *
 * @throws RangeError if they do not fit in the model's context
 */
export function answerRowLength(setting: ObjectiveSetting, longest_answer: number): number {
  const { data } = stageOf(setting);
  const { block_size } = setting.model;
  const prompts = [...data.prompts.train, ...data.prompts.val];
  const longest = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const needed = longest + longest_answer;
  if (needed > block_size) {
    throw new RangeError(
      `The longest prompt has ${longest} tokens and an answer may have ${longest_answer}, but the ` +
        `model’s context holds ${block_size}: allow shorter answers, or choose a model with a longer ` +
        'context.',
    );
  }
  return Math.min(block_size, Math.ceil(needed / MULTIPLE) * MULTIPLE);
}
