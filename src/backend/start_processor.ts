/** Starts the engine on the processor and registers it as a tfjs backend. */
import {
  backend as currentBackend,
  findBackendFactory,
  registerBackend,
  removeBackend,
} from '@tensorflow/tfjs-core';
import {
  clamped,
  Engine,
  engineRules,
  fastestThreads,
  loadBuild,
  processorFeatures,
  thisMachine,
} from '../processor/index.ts';
import {
  withoutGpuDevice,
  type DeviceEvents,
  type StartedBackend,
  type ThreadChoice,
} from './backend_choice.ts';
import { PROCESSOR, ProcessorBackend, processorTensorMemory } from './processor_memory.ts';
import { loadProcessorParts } from './processor_parts.ts';
import { executorOf } from './processor_program.ts';
import { runCall } from './processor_run.ts';
import { registerProcessorKernels } from './processor_tfjs.ts';
import { selectBackend } from './select_backend.ts';
import { state } from './state.ts';
import type { TensorMemory } from './tensor_memory.ts';

interface Running {
  backend: ProcessorBackend;
  memory: TensorMemory;
  /** Threads that may be used. */
  mostThreads: number;
}

/** The engine of this worker: starting it again reuses it, unless a thread of it has stopped. */
let running: Running | null = null;
/** Whether a thread has stopped. The next engine then has one thread, the worker's own. */
let hasLostThread = false;

const ONE_THREAD: ThreadChoice = { wanted: 1 };

/** Throws if the browser has no SIMD, and MissingPart if the engine cannot be downloaded. */
export async function startProcessor(
  events: DeviceEvents,
  threads = ONE_THREAD,
): Promise<StartedBackend> {
  running ??= await launch();
  const { backend, memory } = running;
  if (!(await selectBackend(PROCESSOR)) || currentBackend() !== backend)
    throw new Error('The engine on the processor could not be started.');
  backend.engine.onStopped = (reason) => {
    running = null;
    hasLostThread = true;
    events.lost(reason);
  };
  state.processor = backend;
  state.processorPrograms = { run: runCall, executorOf };
  state.memory = memory;
  return setThreads(running, threads);
}

async function launch(): Promise<Running> {
  const rules = engineRules(thisMachine());
  if (!rules)
    throw new Error("This browser's WebAssembly has no SIMD, which fast training on it needs.");
  const { build, memoryLimit: limit } = rules;
  const shared = rules.mostThreads > 1;
  const [module] = await Promise.all([loadBuild(build), loadProcessorParts()]);
  const engine = await Engine.start(module, { shared, limit });
  const backend = new ProcessorBackend(engine);
  if (findBackendFactory(PROCESSOR)) removeBackend(PROCESSOR);
  registerBackend(PROCESSOR, () => backend);
  await registerProcessorKernels();
  const mostThreads = hasLostThread ? 1 : rules.mostThreads;
  return { backend, memory: processorTensorMemory(backend), mostThreads };
}

/**
 * Changes the number of threads, also during a run, because results have the same bits with any
 * number. Resolves to null if the engine is not running.
 */
export async function changeProcessorThreads(
  threads: ThreadChoice,
): Promise<StartedBackend | null> {
  return running && setThreads(running, threads);
}

async function setThreads(
  { backend, mostThreads }: Running,
  { wanted, memo }: ThreadChoice,
): Promise<StartedBackend> {
  const { engine } = backend;
  const known = wanted ?? (mostThreads > 1 ? await memo?.recall() : 1);
  if (typeof known === 'number') await engine.threads.use(clamped(known, mostThreads));
  else {
    const fastest = await fastestThreads(engine, mostThreads);
    // If one thread is fastest, other programs may be the cause, so it is measured again next time.
    if (fastest > 1) await memo?.remember(fastest);
  }
  return processorDevice(engine, mostThreads);
}

/** The description of the device for the page. */
function processorDevice({ heap, threads }: Engine, mostThreads: number): StartedBackend {
  const { relaxedSimd, sharedMemory } = processorFeatures();
  const simd = relaxedSimd ? 'relaxed SIMD' : 'SIMD';
  const count = threads.count === 1 ? '1 thread' : `${threads.count} threads`;
  return {
    ...withoutGpuDevice('wasm', `CPU, ${count}, ${simd}`),
    features: sharedMemory ? [simd, 'shared memory'] : [simd],
    memory_bytes: heap.limit,
    threads: { count: threads.count, most: mostThreads },
  };
}
