/**
 * Runs one kernel of the engine on the processor: now, or as a command of the traced program. Loaded
 * with the engine.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Block, commandBytes } from '../processor/index.ts';
import { addressOf } from './buffer_range.ts';
import type { ProcessorWork } from './commands.ts';
import type { Param, ProcessorCall } from './dispatch_types.ts';
import { packParams } from './pipelines.ts';
import { writeCommand } from './processor_program.ts';
import { processor, state, tensorMemory } from './state.ts';

/** The block into which a command that runs at once is written. */
let place: { engine: object; block: Block } | null = null;
/** Arguments that fit into it. */
const MOST_WORDS = 62;

/** Implements `runOnProcessor`. Throws if `assembly/` has no kernel of this name. */
export function runCall(call: ProcessorCall): void {
  const { engine } = processor();
  const written = [...call.writes, ...(call.updates ?? [])];
  const read = call.reads.filter((tensor): tensor is Tensor => tensor !== undefined);
  const tensors = [...written, ...read];
  const work: ProcessorWork = {
    on: 'processor',
    kernel: engine.kernel(call.kernel),
    addresses: [...written, ...call.reads].map((tensor) =>
      tensor ? tensors.indexOf(tensor) : null,
    ),
    params: wordsOf(call.params ?? []),
  };
  if (state.trace) {
    const { kernel, label = kernel, writes, updates } = call;
    state.trace.add({ name: label, writes, updates, reads: read }, work);
    return;
  }
  const addresses = tensors.map((tensor) => addressOf(tensorMemory().ensure(tensor)));
  const { address } = placeOfCommand();
  const count = work.addresses.length + work.params.length;
  if (count > MOST_WORDS)
    throw new RangeError(
      `The kernel ${call.kernel} has ${count} arguments, more than ${MOST_WORDS}.`,
    );
  const words = new Uint32Array(2 + count);
  writeCommand(words, work, (binding) => addresses[binding] ?? 0);
  engine.bytes(address, words.byteLength).set(new Uint8Array(words.buffer));
  engine.run(address, address + words.byteLength);
}

function placeOfCommand(): Block {
  const { engine } = processor();
  if (place?.engine !== engine)
    place = { engine, block: engine.heap.allocate(commandBytes(MOST_WORDS)) };
  return place.block;
}

function wordsOf(params: readonly Param[]): Uint32Array {
  return new Uint32Array(packParams(params)).subarray(0, params.length);
}
