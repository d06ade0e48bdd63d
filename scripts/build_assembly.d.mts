/** Compiles all builds of `assembly/`, unless they are those of the present sources. */
export function buildAssembly(): Promise<void>;
