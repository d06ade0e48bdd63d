/** The data of a stage from a generated task. */
import type { StageConfig } from '../../config/stage/index.ts';
import { findTask, type GeneratedTask, type Task } from '../tasks/index.ts';
import type { Located } from './json_lines.ts';
import { NO_RAW_DATA, type Needs, type RawData } from './raw_data.ts';
import { withMargins } from '../tasks/pairs.ts';
import type { Sides } from './types.ts';

/** @throws DataError */
export async function taskData(
  name: GeneratedTask,
  needs: Needs,
  dataset: StageConfig['dataset'],
): Promise<RawData> {
  return dataOfTask(await findTask(name), needs, dataset);
}

/** The same of a task that has been found. */
export function dataOfTask(task: Task, needs: Needs, dataset: StageConfig['dataset']): RawData {
  const { rewards } = task;
  const prompts = generated(task.prompts(dataset));
  const held_out = { train: [], val: prompts.val };
  switch (needs) {
    case 'examples': {
      const examples = generated(task.examples(dataset));
      return { ...NO_RAW_DATA, examples, prompts: held_out, rewards };
    }
    case 'pairs': {
      const true_reward = task.trueReward(dataset.preference);
      const pairs = generated(withMargins(task.pairs(dataset), dataset, true_reward));
      return { ...NO_RAW_DATA, pairs, prompts: held_out, rewards, true_reward };
    }
    case 'prompts': {
      const known = task.preferences.includes(dataset.preference);
      const true_reward = known ? task.trueReward(dataset.preference) : null;
      return { ...NO_RAW_DATA, prompts, rewards, true_reward };
    }
    default:
      return needs satisfies never;
  }
}

function generated<T>({ train, val }: Sides<T>): Sides<Located<T>> {
  const locate = (value: T): Located<T> => ({ value, line: null });
  return { train: train.map(locate), val: val.map(locate) };
}
