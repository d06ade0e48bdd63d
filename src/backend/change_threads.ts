/** Changes the number of threads of our engine on the processor. */
import type { StartedBackend, ThreadChoice } from './backend_choice.ts';
import { onProcessor } from './state.ts';

/**
 * Changes the number of threads, also during a run: results have the same bits with any number.
 * Resolves to the changed device, or to null on other backends.
 */
export async function changeThreads(threads: ThreadChoice): Promise<StartedBackend | null> {
  if (!onProcessor()) return null;
  const { changeProcessorThreads } = await import('./start_processor.ts');
  return changeProcessorThreads(threads);
}
