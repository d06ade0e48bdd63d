/**
 * Code of other rooms that the engine on the processor needs: `ops/` registers the implementations of
 * its operations.
 */

type Load = () => Promise<unknown>;

const parts: Load[] = [];

/** Makes the engine load this code when it starts, which other backends do not. */
export function loadWithProcessor(load: Load): void {
  parts.push(load);
}

/** Loads everything that was registered. Rejects if something cannot be downloaded. */
export async function loadProcessorParts(): Promise<void> {
  await Promise.all(parts.map((load) => load()));
}
