/** Generated tasks, each with a checker in code. */
import type { FetchText } from '../corpora/assets.ts';
import { arithmeticTask } from './arithmetic.ts';
import { stringsTask } from './strings.ts';
import { talesTask } from './tales/index.ts';
import type { GeneratedTask, Task } from './types.ts';

export type { DatasetConfig, GeneratedTask, Task } from './types.ts';

/**
 * A task by its name. Definitions are fetched when they are asked for.
 *
 * @throws DataError text_unreachable
 */
export async function findTask(name: GeneratedTask, load?: FetchText): Promise<Task> {
  switch (name) {
    case 'tales':
      return talesTask;
    case 'arithmetic':
      return arithmeticTask;
    case 'strings':
      return stringsTask;
    case 'definitions': {
      const { loadDefinitions } = await import('./definitions.ts');
      return loadDefinitions(load);
    }
    default:
      return name satisfies never;
  }
}
