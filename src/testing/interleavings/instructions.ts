/** A small stack machine, into which assembly/threads.ts is compiled for the model checker. */

/** What other threads can see; each is one atomic step. */
export type SharedOperation =
  | 'load'
  | 'store'
  | 'add'
  | 'sub'
  | 'wait'
  | 'notify'
  /** A chunk of a phase is begun or finished: what the checker watches. */
  | 'begin'
  | 'finish';

export type BinaryOperator = '+' | '-' | '*' | '<' | '>' | '==' | '!=' | '&' | '|' | '<<' | '>>';

export type Instruction =
  | { op: 'push'; value: number }
  | { op: 'get' | 'set'; slot: number }
  | { op: 'get_global' | 'set_global'; index: number }
  | { op: 'drop' }
  | { op: 'binary'; operator: BinaryOperator }
  | { op: 'jump' | 'jump_if_zero'; to: number }
  | { op: 'call'; name: string; operands: number }
  /** Calls the kernel whose number is below the argument on the stack. */
  | { op: 'call_kernel' }
  | { op: 'return' }
  | { op: 'shared'; operation: SharedOperation; operands: number }
  /** Ends the thread; `trapped` as WebAssembly's `unreachable` does. */
  | { op: 'end'; trapped: boolean };

export interface CompiledFunction {
  entry: number;
  parameters: number;
  /** Parameters and local variables. */
  slots: number;
}

export interface CompiledProgram {
  code: Instruction[];
  functions: ReadonlyMap<string, CompiledFunction>;
  /** Initial values of the mutable globals, of which every thread has its own. */
  globals: number[];
}
