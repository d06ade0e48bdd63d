/**
 * The page's table of metrics: one series per metric, in bounded memory.
 *
 * A series holds (step, value) pairs in growing Float64 columns. At its capacity it is halved:
 * of every four neighbours the smallest and the largest are kept, in order, so a spike survives any
 * number of halvings. Each series keeps its own steps, because a validation loss of every
 * hundredth step must not be thinned with the training loss.
 */
import type { MetricColumns } from '../protocol/index.ts';

const SERIES_CAPACITY = 16_384;
const FIRST_SIZE = 512;

export class Series {
  length = 0;
  #step = new Float64Array(FIRST_SIZE);
  #value = new Float64Array(FIRST_SIZE);

  constructor(readonly capacity = SERIES_CAPACITY) {}

  /** Views of what is there; valid until the next append. */
  get step(): Float64Array {
    return this.#step.subarray(0, this.length);
  }
  get value(): Float64Array {
    return this.#value.subarray(0, this.length);
  }
  get last(): number {
    return this.length > 0 ? (this.#value[this.length - 1] ?? NaN) : NaN;
  }
  get first(): number {
    return this.length > 0 ? (this.#value[0] ?? NaN) : NaN;
  }

  append(step: number, value: number): void {
    if (this.length === this.#step.length) this.#makeRoom();
    this.#step[this.length] = step;
    this.#value[this.length] = value;
    this.length += 1;
  }

  /** Forgets the points after `step`: a run that resumes from a checkpoint takes them again. */
  truncateAfter(step: number): void {
    while (this.length > 0 && (this.#step[this.length - 1] ?? 0) > step) this.length -= 1;
  }

  #makeRoom(): void {
    if (this.#step.length < this.capacity) {
      const size = Math.min(this.capacity, this.#step.length * 2);
      this.#step = grown(this.#step, size);
      this.#value = grown(this.#value, size);
    } else this.#halve();
  }

  #halve(): void {
    let kept = 0;
    for (let start = 0; start < this.length; start += 4) {
      const end = Math.min(start + 4, this.length);
      let low = start;
      let high = start;
      for (let i = start + 1; i < end; i += 1) {
        if (this.#at(i) < this.#at(low)) low = i;
        if (this.#at(i) >= this.#at(high)) high = i;
      }
      // A flat group still leaves two points, so that the line keeps its extent.
      if (low === high) low = start;
      for (const i of low < high ? [low, high] : [high, low]) {
        this.#step[kept] = this.#step[i] ?? NaN;
        this.#value[kept] = this.#at(i);
        kept += 1;
      }
    }
    this.length = kept;
  }

  #at(index: number): number {
    return this.#value[index] ?? NaN;
  }
}

function grown(from: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(size);
  to.set(from);
  return to;
}

/**
 * All series of one run. `version` rises with every change: what a chart compares instead of data.
 */
export class MetricTable {
  version = 0;
  readonly #series = new Map<string, Series>();

  constructor(readonly capacity = SERIES_CAPACITY) {}

  get names(): string[] {
    return [...this.#series.keys()];
  }
  get(name: string): Series | undefined {
    return this.#series.get(name);
  }

  /**
   * Adds a flush of the worker. Values that are NaN were not measured at that step; infinities stay
   * out of charts too.
   */
  append(columns: MetricColumns): void {
    const { step, ...rest } = columns;
    for (const [name, values] of Object.entries(rest)) {
      for (let row = 0; row < step.length; row += 1) {
        const value = values[row] ?? NaN;
        if (Number.isFinite(value)) this.#for(name).append(step[row] ?? NaN, value);
      }
    }
    this.version += 1;
  }

  truncateAfter(step: number): void {
    for (const series of this.#series.values()) series.truncateAfter(step);
    this.version += 1;
  }

  clear(): void {
    this.#series.clear();
    this.version += 1;
  }

  #for(name: string): Series {
    const found = this.#series.get(name);
    if (found) return found;
    const made = new Series(this.capacity);
    this.#series.set(name, made);
    return made;
  }
}

/**
 * The value of a monotone series at a step, by linear interpolation; used to show steps as tokens
 * or seconds.
 */
export function interpolate(series: Series, step: number): number {
  const { step: steps, value: values } = series;
  if (steps.length === 0) return NaN;
  let low = 0;
  let high = steps.length - 1;
  if (step <= (steps[0] ?? 0)) return scaleToOrigin(steps[0] ?? 0, values[0] ?? 0, step);
  if (step >= (steps[high] ?? 0)) return values[high] ?? NaN;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? 0) <= step) low = middle;
    else high = middle;
  }
  const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = [steps[low], steps[high], values[low], values[high]];
  return x1 === x0 ? y1 : y0 + ((y1 - y0) * (step - x0)) / (x1 - x0);
}

/** Before the first measurement, both tokens and seconds run in proportion from step 0. */
function scaleToOrigin(firstStep: number, firstValue: number, step: number): number {
  return firstStep <= 0 ? firstValue : (firstValue * Math.max(0, step)) / firstStep;
}
