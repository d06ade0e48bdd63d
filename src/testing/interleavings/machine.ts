/** Threads that run a compiled program over shared words, one visible step at a time. */
import type {
  BinaryOperator,
  CompiledFunction,
  CompiledProgram,
  SharedOperation,
} from './instructions.ts';

/** What went wrong, in one sentence. */
export class Violation extends Error {}

/** `ready`: about to execute a shared operation. `waiting`: asleep in `atomic.wait`. */
export type Status = 'ready' | 'waiting' | 'done' | 'trapped' | 'dead';

interface Frame {
  returnTo: number;
  /** Index of the first slot on the stack. */
  base: number;
}

export interface ThreadState {
  status: Status;
  /** Where it waits, and whether that wait has a timeout. */
  waitsOn: number;
  timed: boolean;
  at: number;
  stack: number[];
  frames: Frame[];
  globals: number[];
}

/** A state of all threads and of the memory. */
export interface State {
  threads: ThreadState[];
  /** Shared words by address; absent ones are 0. */
  words: ReadonlyMap<number, number>;
  /** For each chunk of each phase: 1 once it is begun, 2 once it is finished. */
  chunks: readonly (readonly number[])[];
}

/** What `atomic.wait` returns. */
const WOKEN = 0;
const NOT_EQUAL = 1;
const TIMED_OUT = 2;

/** A number that no program stores, for the contents of a list that was overwritten. */
export const POISON = -12345;

export class Machine {
  readonly #program: CompiledProgram;
  /** The functions that a list calls by number. */
  readonly #kernels: readonly string[];

  constructor(program: CompiledProgram, kernels: readonly string[]) {
    this.#program = program;
    this.#kernels = kernels;
  }

  /** Threads that are about to run these functions, and phases of so many chunks. */
  start(mains: readonly string[], phases: readonly number[]): State {
    const threads = mains.map((name): ThreadState => {
      const { entry, slots } = this.#function(name);
      return {
        status: 'ready',
        waitsOn: 0,
        timed: false,
        at: entry,
        stack: new Array<number>(slots).fill(0),
        frames: [{ returnTo: -1, base: 0 }],
        globals: [...this.#program.globals],
      };
    });
    for (const thread of threads) this.#runLocally(thread);
    return { threads, words: new Map(), chunks: phases.map((n) => new Array<number>(n).fill(0)) };
  }

  #function(name: string): CompiledFunction {
    const found = this.#program.functions.get(name);
    if (!found) throw new Violation(`A thread calls ${name}, which does not exist.`);
    return found;
  }

  /** The state after thread `index` has executed its shared operation. */
  step(before: State, index: number): State {
    const state = { ...before, threads: [...before.threads] };
    const thread = this.#own(state, index);
    const instruction = this.#program.code[thread.at];
    if (instruction?.op !== 'shared') throw new Error('The thread is at no shared operation.');
    const operands = thread.stack.splice(thread.stack.length - instruction.operands);
    thread.at++;
    const result = this.#share(state, thread, instruction.operation, operands);
    if (thread.status === 'ready') {
      thread.stack.push(result);
      this.#runLocally(thread);
    }
    return state;
  }

  /** The state after the wait of thread `index` has timed out. */
  timeOut(before: State, index: number): State {
    const state = { ...before, threads: [...before.threads] };
    this.#resume(this.#own(state, index), TIMED_OUT);
    return state;
  }

  /** The state after the browser has ended thread `index`. */
  kill(before: State, index: number): State {
    const state = { ...before, threads: [...before.threads] };
    const thread = this.#own(state, index);
    thread.status = 'dead';
    thread.stack = [];
    thread.frames = [];
    return state;
  }

  /** A copy of the thread that may be changed. */
  #own(state: State, index: number): ThreadState {
    const thread = state.threads[index];
    if (!thread) throw new Error(`There is no thread ${index}.`);
    const { stack, frames, globals } = thread;
    const own = { ...thread, stack: [...stack], frames: [...frames], globals: [...globals] };
    state.threads[index] = own;
    return own;
  }

  #resume(thread: ThreadState, result: number): void {
    thread.status = 'ready';
    thread.stack.push(result);
    this.#runLocally(thread);
  }

  #share(
    state: State,
    thread: ThreadState,
    operation: SharedOperation,
    operands: readonly number[],
  ): number {
    const [first = 0, second = 0, third = 0] = operands;
    const read = (address: number): number => state.words.get(address) ?? 0;
    const write = (value: number): number => {
      state.words = new Map(state.words).set(first, value);
      return value;
    };
    switch (operation) {
      case 'load':
        // `load(pointer, offset)`; the atomic form has one operand.
        return loaded(read(first + second));
      case 'store':
        return write(second);
      case 'add':
        return write(read(first) + second) - second;
      case 'sub':
        return write(read(first) - second) + second;
      case 'wait':
        if (read(first) !== second) return NOT_EQUAL;
        Object.assign(thread, { status: 'waiting', waitsOn: first, timed: third >= 0 });
        return 0;
      case 'notify':
        return this.#notify(state, first, second);
      case 'begin':
        beginChunk(state, first, second);
        return 0;
      case 'finish':
        setChunk(state, { phase: first, chunk: second, value: 2 });
        return 0;
      default:
        return operation satisfies never;
    }
  }

  #notify(state: State, address: number, count: number): number {
    let woken = 0;
    state.threads.forEach((thread, index) => {
      if (thread.status !== 'waiting' || thread.waitsOn !== address) return;
      if (count >= 0 && woken >= count) return;
      woken++;
      this.#resume(this.#own(state, index), WOKEN);
    });
    return woken;
  }

  /** Runs the thread up to its next shared operation, or to its end. */
  #runLocally(thread: ThreadState): void {
    for (let steps = 0; steps < 10_000; steps++) {
      const instruction = this.#program.code[thread.at];
      if (!instruction) throw new Error('A thread left its program.');
      if (instruction.op === 'shared') return;
      thread.at++;
      const { stack } = thread;
      const pop = (): number => stack.pop() ?? 0;
      const base = thread.frames.at(-1)?.base ?? 0;
      switch (instruction.op) {
        case 'push':
          stack.push(instruction.value);
          break;
        case 'get':
          stack.push(stack[base + instruction.slot] ?? 0);
          break;
        case 'set':
          stack[base + instruction.slot] = pop();
          break;
        case 'get_global':
          stack.push(thread.globals[instruction.index] ?? 0);
          break;
        case 'set_global':
          thread.globals[instruction.index] = pop();
          break;
        case 'drop':
          pop();
          break;
        case 'binary': {
          const right = pop();
          stack.push(calculate(instruction.operator, pop(), right));
          break;
        }
        case 'jump':
          thread.at = instruction.to;
          break;
        case 'jump_if_zero':
          if (pop() === 0) thread.at = instruction.to;
          break;
        case 'call':
          this.#enter(thread, instruction.name, instruction.operands);
          break;
        case 'call_kernel':
          this.#enterKernel(thread);
          break;
        case 'return':
          if (!leave(thread)) return;
          break;
        case 'end':
          thread.status = instruction.trapped ? 'trapped' : 'done';
          return;
        default:
          instruction satisfies never;
      }
    }
    throw new Violation('A thread runs forever without looking at shared memory.');
  }

  #enter(thread: ThreadState, name: string, operands: number): void {
    const { entry, parameters, slots } = this.#function(name);
    if (operands !== parameters) throw new Error(`${name} is called with ${operands} operands.`);
    thread.frames.push({ returnTo: thread.at, base: thread.stack.length - parameters });
    for (let slot = parameters; slot < slots; slot++) thread.stack.push(0);
    thread.at = entry;
  }

  /** On the stack: the kernel's number, and its argument. */
  #enterKernel(thread: ThreadState): void {
    const args = thread.stack.pop() ?? 0;
    const kernel = this.#kernels[thread.stack.pop() ?? -1];
    if (kernel === undefined) throw new Violation('A thread calls a kernel that is in no list.');
    thread.stack.push(args);
    this.#enter(thread, kernel, 1);
  }
}

/** Returns from a function; false if it was the outermost, and the thread is done. */
function leave(thread: ThreadState): boolean {
  const result = thread.stack.pop() ?? 0;
  const frame = thread.frames.pop();
  if (!frame) throw new Error('A thread returns from nowhere.');
  thread.stack.length = frame.base;
  if (frame.returnTo < 0) {
    thread.status = 'done';
    return false;
  }
  thread.stack.push(result);
  thread.at = frame.returnTo;
  return true;
}

function loaded(value: number): number {
  if (value === POISON) throw new Violation('A thread reads a list that was overwritten.');
  return value;
}

/** Every phase before must be finished, and nobody may have begun this chunk. */
function beginChunk(state: State, phase: number, chunk: number): void {
  const unfinished = state.chunks.slice(0, phase).findIndex((done) => done.some((c) => c !== 2));
  if (unfinished >= 0)
    throw new Violation(`Phase ${phase} begins while phase ${unfinished} is not finished.`);
  if (state.chunks[phase]?.[chunk] !== 0)
    throw new Violation(`Chunk ${chunk} of phase ${phase} is claimed twice.`);
  setChunk(state, { phase, chunk, value: 1 });
}

function setChunk(
  state: State,
  { phase, chunk, value }: { phase: number; chunk: number; value: number },
): void {
  state.chunks = state.chunks.map((chunks, index) =>
    index === phase ? chunks.with(chunk, value) : chunks,
  );
}

function calculate(operator: BinaryOperator, left: number, right: number): number {
  switch (operator) {
    case '+':
      return (left + right) | 0;
    case '-':
      return (left - right) | 0;
    case '*':
      return Math.imul(left, right);
    case '<':
      return Number(left < right);
    case '>':
      return Number(left > right);
    case '==':
      return Number(left === right);
    case '!=':
      return Number(left !== right);
    case '&':
      return left & right;
    case '|':
      return left | right;
    case '<<':
      return left << right;
    case '>>':
      return left >> right;
    default:
      return operator satisfies never;
  }
}
