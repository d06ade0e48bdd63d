/**
 * A worker in which tests run the engine with real threads, as the thread of a test's page may not
 * wait.
 */
import { commandBytes, Engine, loadBuild, ThreadStopped } from './index.ts';

export interface LeaderTask {
  threads: number;
  /** How often threads poll before they sleep; the engine's own number if absent. */
  spins?: number | undefined;
  commands: number;
  /** Stays with its helpers after the commands, and reports the memory that they share. */
  rests?: boolean | undefined;
  /** Ends a helper after half of the commands. */
  endsHelper?: boolean | undefined;
}

export interface LeaderReport {
  /** Threads that were started. */
  threads: number;
  /** Values that are not the number of commands. */
  wrong: number;
  /** Why the engine stopped, and what it threw; null if it did not. */
  stopped: { reason: string; isThreadStopped: boolean; again: boolean } | null;
  ms: number;
  memory?: WebAssembly.Memory;
}

/** Commands of one list. */
const EACH = 20;
/** Two whole chunks and a short one. */
const VALUES = 2 * 8192 + 1;

addEventListener('message', ({ data }: MessageEvent<LeaderTask>) => {
  void perform(data).then((report) => self.postMessage(report));
});

async function perform({
  threads,
  spins,
  commands,
  endsHelper,
  rests,
}: LeaderTask): Promise<LeaderReport> {
  const engine = await Engine.start(await loadBuild('plain_threads'), { shared: true, spins });
  const started = await engine.threads.use(threads);
  const list = addingList(engine);
  let reason = '';
  engine.onStopped = (why) => {
    reason = why;
  };
  const begun = performance.now();
  try {
    for (let done = 0; done < commands; done += EACH) {
      if (endsHelper && done === commands / 2) await engine.threads.endOneHelper();
      list.run();
    }
  } catch (error) {
    const isThreadStopped = error instanceof ThreadStopped;
    const stopped = { reason, isThreadStopped, again: throws(list.run) };
    return { threads: started, wrong: 0, stopped, ms: performance.now() - begun };
  }
  const ms = performance.now() - begun;
  if (rests) return { threads: started, wrong: 0, stopped: null, ms, memory: engine.memory };
  const wrong = list.values().filter((value) => value !== commands).length;
  await engine.threads.use(1);
  engine.threads.end();
  return { threads: started, wrong, stopped: null, ms };
}

/** A list of commands that each add 1 to every value. */
function addingList(engine: Engine) {
  const target = engine.heap.allocateZeros(4 * VALUES);
  const ones = engine.heap.allocate(4 * VALUES);
  new Float32Array(engine.memory.buffer, ones.address, VALUES).fill(1);
  const command = commandBytes(3);
  const list = engine.heap.allocate(EACH * command);
  const words = new Uint32Array(engine.memory.buffer, list.address, (EACH * command) / 4);
  const add = [engine.kernel('add_in_place'), command, target.address, ones.address, VALUES];
  for (let i = 0; i < EACH; i++) words.set(add, (i * command) / 4);
  return {
    run: () => engine.run(list.address, list.address + EACH * command),
    values: () => new Float32Array(engine.memory.buffer, target.address, VALUES).slice(),
  };
}

function throws(run: () => void): boolean {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}
