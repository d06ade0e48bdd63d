/** How long the rows of an RL stage are. */
import { DataError } from '../../data/index.ts';
import { type ObjectiveSetting, stageOf } from '../objective.ts';

/** Rows are a multiple of this, if the context allows, so that kernels use their best tiles. */
const MULTIPLE = 8;

/**
 * Tokens of a row: the longest training or held-out prompt and the longest answer, but at most the
 * model's context, which cuts off the answers to long prompts.
 *
 * @throws DataError bad_example if not even the shortest prompt leaves room for the longest answer
 */
export function answerRowLength(setting: ObjectiveSetting, longest_answer: number): number {
  const { data } = stageOf(setting);
  const { block_size } = setting.model;
  const lengths = [...data.prompts.train, ...data.prompts.val].map(({ ids }) => ids.length);
  const shortest = lengths.reduce((least, length) => Math.min(least, length), Infinity);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  if (shortest + longest_answer > block_size) {
    throw new DataError(
      'bad_example',
      `The shortest prompt has ${shortest} tokens and an answer may have ${longest_answer}, but the ` +
        `model’s context holds ${block_size}.`,
      'Allow shorter answers, or choose a model with a longer context.',
    );
  }
  const needed = longest + longest_answer;
  return Math.min(block_size, Math.ceil(needed / MULTIPLE) * MULTIPLE);
}
