/** A helper thread of the engine on the processor: a worker of the training worker. */
import { instantiate, type EngineExports } from './exports.ts';
import { TRAPPED, type FromHelper, type ToHelper } from './thread_messages.ts';

let engine: { exports: EngineExports; scratch: number } | null = null;

const say = (message: FromHelper): void => self.postMessage(message);

addEventListener('message', ({ data }: MessageEvent<ToHelper>) => {
  switch (data.type) {
    case 'start':
      void start(data);
      return;
    case 'serve':
      serve(data);
      return;
    default:
      data satisfies never;
  }
});

async function start({ module, memory, scratch }: Extract<ToHelper, { type: 'start' }>) {
  const { exports } = await instantiate(module, memory);
  engine = { exports, scratch };
  say({ type: 'ready' });
}

/** Returns when the leader stops the threads. A trap in a kernel ends the leader's list, too. */
function serve({ count, seen, spins }: Extract<ToHelper, { type: 'serve' }>): void {
  if (!engine) return;
  const { exports, scratch } = engine;
  exports.setThread(count, scratch, spins);
  try {
    exports.serve(seen);
  } catch (error) {
    exports.fail(TRAPPED);
    throw error;
  }
  say({ type: 'parked' });
}
