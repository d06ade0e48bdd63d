/** Held-out items of a task. */
import type { CheckedReward, DatasetConfig, PromptExample } from '../../data/index.ts';
import { ModelRefusal } from './model_refusal.ts';

export interface Items {
  examples: readonly PromptExample[];
  rewards: readonly CheckedReward[];
  /** What the preference of the dataset agrees with; without one, whether the answer is right. */
  true_reward: CheckedReward;
  /** The choices of a question, the right one first; empty if it has none. */
  choices: (example: PromptExample) => readonly string[];
  /** What the columns of a table have to tell apart, such as the digits of the sums. */
  variant: string;
}

/** @throws ModelRefusal for examples of the user's own, which code cannot check */
export async function taskItems(dataset: DatasetConfig): Promise<Items> {
  const { task: name, preference } = dataset;
  if (name === 'own') throw noItems();
  const { findTask } = await import('../../data/tasks/index.ts');
  const task = await findTask(name);
  const examples = task.prompts(dataset).val;
  const { rewards } = task;
  const correct = rewards.find((reward) => reward.name === 'correct');
  const preferred = task.preferences.includes(preference) ? task.trueReward(preference) : correct;
  if (!preferred || examples.length === 0) throw noItems();
  return {
    examples,
    rewards,
    true_reward: preferred,
    choices: (example) => task.choices(example),
    variant: variantOf(dataset),
  };
}

function variantOf({ task, format, digits }: DatasetConfig): string {
  switch (task) {
    case 'arithmetic':
      return `${format}, ${digits} digits`;
    case 'tales':
    case 'strings':
    case 'definitions':
    case 'own':
      return '';
    default:
      return task satisfies never;
  }
}

const noItems = (): ModelRefusal =>
  new ModelRefusal(
    'no_items',
    'These examples have no held-out questions whose answers code can check.',
    'Choose a generated task, or measure bits per byte.',
  );
