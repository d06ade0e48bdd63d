/** What programs call of the engine on the processor, whose code is loaded only when it starts. */
import type { ProcessorCall } from './dispatch_types.ts';
import type { Placement, PrunedTrace } from './placement.ts';

/** Runs the commands with index in [from, to). */
export type Execute = (from?: number, to?: number) => void;

export interface ProcessorPrograms {
  /** Runs one kernel now, or adds it to the program being traced. */
  run(call: ProcessorCall): void;
  /** Writes the list of commands of a program, and returns what runs it. */
  executorOf(traced: PrunedTrace, placement: Placement): Execute;
}
