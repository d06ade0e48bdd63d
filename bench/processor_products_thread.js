/* global postMessage, WebAssembly */
/**
 * One thread of bench/processor_products.mjs: a worker with an instance of a build of `assembly/`.
 * The first thread leads and measures; the others serve it.
 */

const SCRATCH_AT = 65_536;
/** Commands are written here, above the scratch memory of eight threads. */
const COMMANDS_AT = SCRATCH_AT + 8 * (4 << 20);
const TENSORS_AT = COMMANDS_AT + (1 << 20);
const PAGES = 8192;
const MAXIMUM_PAGES = 65_536;
const SPINS = 20_000;
/** A list of commands takes about this long, so that starting it does not count. */
const LIST_MS = 1.5;

let exports;
let memory;
let kernel;

globalThis.onmessage = async ({ data }) => {
  if (data.shapes) {
    postMessage(data.shapes.map((shape) => measure(shape, data.milliseconds)));
    return;
  }
  memory = data.memory ?? new WebAssembly.Memory({ initial: PAGES, maximum: MAXIMUM_PAGES });
  ({ exports } = await WebAssembly.instantiate(data.module, { env: { memory } }));
  exports.setThread(data.threads, SCRATCH_AT + data.index * exports.scratchBytes(), SPINS);
  kernel = exports.table.grow(1, exports.matmul);
  postMessage('ready');
  if (data.index > 0) exports.serve();
};

/** The GFLOP/s of the fastest list of equal products. */
function measure(shape, milliseconds) {
  const command = commandOf(shape);
  write(command, 1);
  time(command, 1);
  const copies = Math.max(1, Math.min(2000, Math.round(LIST_MS / time(command, 1))));
  write(command, copies);
  let best = Infinity;
  for (let total = 0; total < milliseconds;) {
    const elapsed = time(command, copies);
    best = Math.min(best, elapsed / copies);
    total += elapsed;
  }
  return (2 * shape.M * shape.N * shape.K) / best / 1e6;
}

/** The words of the command, whose operands are filled with noise. */
function commandOf({ form, M, N, K }) {
  const c = TENSORS_AT;
  const a = c + 4 * M * N;
  const b = a + 4 * M * K;
  fill(a, M * K);
  fill(b, N * K);
  const args = [c, a, b, 0, 0, 0, M, N, K, form[0] === 't' ? 1 : 0, form[1] === 't' ? 1 : 0, 0];
  return [kernel, 8 + 4 * args.length, ...args];
}

function fill(address, size) {
  const values = new Float32Array(memory.buffer, address, size);
  for (let i = 0; i < size; i++) values[i] = Math.random() - 0.5;
}

function write(command, copies) {
  const words = new Int32Array(memory.buffer, COMMANDS_AT, command.length * copies);
  for (let copy = 0; copy < copies; copy++) words.set(command, copy * command.length);
}

function time(command, copies) {
  const start = performance.now();
  exports.run(COMMANDS_AT, COMMANDS_AT + 4 * command.length * copies);
  return performance.now() - start;
}
