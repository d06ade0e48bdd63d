/** The engine's memory cannot hold what is asked for. `bytes`: of the block that does not fit. */
export class ProcessorMemoryFull extends Error {
  constructor(bytes: number, allocated: number) {
    super(
      `The browser gives the processor no more memory: ${megabytes(allocated)} are in use and ` +
        `${megabytes(bytes)} more are needed.`,
    );
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}
