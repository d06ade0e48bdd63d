/** Programs on the processor: one list of commands in the engine's memory, run by one call. */
import { commandBytes } from '../processor/index.ts';
import { addressOf } from './buffer_range.ts';
import type { Command, ProcessorWork } from './commands.ts';
import type { Placement, PrunedTrace } from './placement.ts';
import type { Execute } from './processor_types.ts';
import { processor } from './state.ts';

/** Writes the program's list of commands, and returns what runs it. */
export function executorOf({ trace, commands }: PrunedTrace, placement: Placement): Execute {
  const { engine } = processor();
  const works = commands.map(processorWork);
  const starts = [0];
  let length = 0;
  for (const { addresses, params } of works) {
    length += commandBytes(addresses.length + params.length);
    starts.push(length);
  }
  const list = engine.heap.allocate(length);
  placement.own.push(list);
  const words = new Uint32Array(length / 4);
  commands.forEach((command, index) => {
    const work = works[index];
    const start = starts[index];
    if (!work || start === undefined) return;
    writeCommand(words.subarray(start / 4), work, (binding) => {
      const ref = command.bindings[binding];
      if (!ref) throw new RangeError(`${command.name} has no tensor ${binding}.`);
      return addressOf(placement.rangeOf(ref));
    });
  });
  engine.bytes(list.address, length).set(new Uint8Array(words.buffer));
  return (from = 0, to = commands.length) => {
    const begin = starts[from];
    const end = starts[to];
    if (begin === undefined || end === undefined)
      throw new RangeError(`The program ${trace.name} has no commands ${from} to ${to}.`);
    engine.run(list.address + begin, list.address + end);
  };
}

function processorWork({ name, work }: Command): ProcessorWork {
  if (work.on !== 'processor') throw new TypeError(`${name} is no kernel of the processor.`);
  return work;
}

/** Kernel, length, addresses and parameters of one command. */
export function writeCommand(
  words: Uint32Array,
  { kernel, addresses, params }: ProcessorWork,
  addressOfBinding: (binding: number) => number,
): void {
  words[0] = kernel;
  words[1] = commandBytes(addresses.length + params.length);
  addresses.forEach((binding, index) => {
    words[2 + index] = binding === null ? 0 : addressOfBinding(binding);
  });
  words.set(params, 2 + addresses.length);
}
