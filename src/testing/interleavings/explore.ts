/** Visits every state that threads can reach, in any interleaving of their shared operations. */
import { Violation, type Machine, type State, type ThreadState } from './machine.ts';

export interface Exploration {
  machine: Machine;
  start: State;
  /** Called with every state in which no thread can go on by itself; throws a Violation. */
  atEnd: (state: State) => void;
  /** Whether a wait may time out, once no thread can go on without. */
  timeouts?: boolean;
  /** Threads of which the browser may end one, at any point. */
  mortal?: readonly number[];
}

export interface Explored {
  states: number;
  ends: number;
  /** What is wrong, and the threads that ran, in order; null if nothing is. */
  violation: { message: string; schedule: readonly string[] } | null;
}

interface Node {
  state: State;
  came: { from: Node; move: string } | null;
}

/** Depth first, so that few states are kept waiting. Ends at the first violation. */
export function explore(exploration: Exploration): Explored {
  const seen = new Set<string>();
  const pending: Node[] = [{ state: exploration.start, came: null }];
  let ends = 0;
  for (let node = pending.pop(); node; node = pending.pop()) {
    const key = keyOf(node.state);
    if (seen.has(key)) continue;
    seen.add(key);
    try {
      const moves = movesFrom(exploration, node.state);
      if (moves.length === 0) {
        exploration.atEnd(node.state);
        ends++;
      }
      for (const { move, make } of moves)
        pending.push({ state: make(), came: { from: node, move } });
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      const violation = { message: error.message, schedule: scheduleOf(node) };
      return { states: seen.size, ends, violation };
    }
  }
  return { states: seen.size, ends, violation: null };
}

interface Move {
  move: string;
  make: () => State;
}

function movesFrom({ machine, timeouts, mortal = [] }: Exploration, state: State): Move[] {
  const { threads } = state;
  const select = (wanted: (thread: ThreadState) => boolean): number[] =>
    threads.flatMap((thread, index) => (wanted(thread) ? [index] : []));
  const steps = select(({ status }) => status === 'ready');
  const moves = steps.map((i) => ({ move: `thread ${i}`, make: () => machine.step(state, i) }));
  if (!threads.some(({ status }) => status === 'dead'))
    for (const i of mortal.filter((i) => isAlive(threads[i])))
      moves.push({ move: `thread ${i} dies`, make: () => machine.kill(state, i) });
  if (steps.length > 0 || !timeouts) return moves;
  for (const i of select(({ status, timed }) => status === 'waiting' && timed))
    moves.push({ move: `thread ${i} times out`, make: () => machine.timeOut(state, i) });
  return moves;
}

const isAlive = (thread: ThreadState | undefined): boolean =>
  thread?.status === 'ready' || thread?.status === 'waiting';

/** Most of a state is shared with the state before it: its parts are written out once. */
const written = new WeakMap<object, string>();

function once<T extends object>(part: T, write: (part: T) => string): string {
  const text = written.get(part) ?? write(part);
  written.set(part, text);
  return text;
}

/** Threads but the first run the same program, so that which is which makes no difference. */
function keyOf({ threads, words, chunks }: State): string {
  const [first = '', ...others] = threads.map((thread) => once(thread, threadKey));
  return `${first}|${others.sort().join('|')}|${once(words, wordsKey)}|${once(chunks, (c) => c.join('/'))}`;
}

function threadKey({ status, waitsOn, at, stack, frames, globals }: ThreadState): string {
  const returns = frames.map(({ returnTo }) => returnTo);
  return `${status} ${waitsOn} ${at} ${stack.join()} ${returns.join()} ${globals.join()}`;
}

const wordsKey = (words: State['words']): string => [...words].sort(([a], [b]) => a - b).join();

function scheduleOf(node: Node): string[] {
  const schedule: string[] = [];
  for (let at: Node = node; at.came; at = at.came.from) schedule.unshift(at.came.move);
  return schedule;
}
