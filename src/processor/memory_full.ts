/** The engine's memory cannot grow as far as a block needs. */
export class ProcessorMemoryFull extends Error {
  /** `bytes`: the size of the block that does not fit; `allocated`: bytes of all other blocks. */
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
