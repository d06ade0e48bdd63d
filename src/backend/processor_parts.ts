/** Code of other rooms that the engine on the processor needs. */

type Load = () => Promise<unknown>;

const parts: Load[] = [];

/** Makes the engine load this code when it starts, which other backends do not. */
export function loadWithProcessor(load: Load): void {
  parts.push(load);
}

export async function loadProcessorParts(): Promise<void> {
  await Promise.all(parts.map((load) => load()));
}
