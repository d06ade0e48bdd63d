/**
 * JavaScript heap of the page and its workers. If the page is cross-origin isolated, browsers
 * report it a few seconds late; otherwise they report the page's own heap, or nothing. Measured at
 * most once in EVERY_MS, and only while metrics arrive.
 */
const EVERY_MS = 10_000;

const field = (object: unknown, name: string): unknown =>
  typeof object === 'object' && object !== null && name in object
    ? Reflect.get(object, name)
    : undefined;

/** Bytes in use, or null where this browser does not say. */
export async function heapBytes(source: object = performance): Promise<number | null> {
  const measure = field(source, 'measureUserAgentSpecificMemory');
  if (typeof measure === 'function' && globalThis.crossOriginIsolated) {
    const bytes = field(await Reflect.apply(measure, source, []), 'bytes');
    if (typeof bytes === 'number') return bytes;
  }
  const used = field(field(source, 'memory'), 'usedJSHeapSize');
  return typeof used === 'number' ? used : null;
}

/** Measures when it is due, and passes each value on. */
export class HeapWatch {
  #last = -Infinity;
  constructor(
    private readonly report: (bytes: number) => void,
    private readonly measure: () => Promise<number | null> = heapBytes,
    private readonly now: () => number = () => performance.now(),
  ) {}

  due(): void {
    if (this.now() - this.#last < EVERY_MS) return;
    this.#last = this.now();
    this.measure().then(
      (bytes) => {
        if (bytes !== null) this.report(bytes);
      },
      () => {
        this.#last = Infinity;
      },
    );
  }
}
