/** Generated tasks, each with a checker in code. */
import { arithmeticTask } from './arithmetic.ts';
import { stringsTask } from './strings.ts';
import { talesTask } from './tales/index.ts';
import type { GeneratedTask, Task } from './types.ts';

export type { DatasetConfig, GeneratedTask, Task } from './types.ts';

/** A task by its name; those with much text are loaded when they are asked for. */
export async function findTask(name: GeneratedTask): Promise<Task> {
  switch (name) {
    case 'tales':
      return talesTask;
    case 'arithmetic':
      return arithmeticTask;
    case 'strings':
      return stringsTask;
    case 'definitions':
      throw new RangeError(`The task "${name}" is not written yet.`);
    default:
      return name satisfies never;
  }
}
