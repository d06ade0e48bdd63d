/** Runs one kernel of the engine on the processor. The engine's code is loaded when it starts. */
import type { ProcessorCall } from './dispatch_types.ts';
import { processorPrograms } from './state.ts';

/** Runs the kernel now, or adds it to the program being traced. On the processor only. */
export function runOnProcessor(call: ProcessorCall): void {
  processorPrograms().run(call);
}
