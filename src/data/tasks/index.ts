/** The generated tasks by name. */
import type { GeneratedTask, Task } from './types.ts';

export type { DatasetConfig, GeneratedTask, Task } from './types.ts';

/** Placeholder until the tasks are merged. */
export const findTask = (name: GeneratedTask): Promise<Task> =>
  Promise.reject(new Error(`The task ${name} does not exist.`));
