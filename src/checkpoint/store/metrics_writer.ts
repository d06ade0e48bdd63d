/** The only writer of a run's metrics.jsonl. */
import type { MetricColumns } from '../../common/index.ts';
import { metricLines, resumeLine } from '../metric_columns.ts';

/** Characters of lines that are kept after they were written: those of about 100,000 steps. */
const LIMIT = 2 ** 24;

/** Lines that wait for an append. */
interface Pending {
  text: string;
  rows: number;
}

/**
 * Collects rows and appends them in the order in which they were added. Appends run one at a time,
 * and rows stay pending until the append that contains them has succeeded, so a failed append loses
 * nothing and the next flush repeats it.
 */
export class MetricsWriter {
  readonly #append: (text: string) => Promise<void>;
  #pending: Pending[] = [];
  #lastFlush: Promise<void> = Promise.resolve();
  /** The lines that are in the file, as far as LIMIT allows. */
  #written: string[] = [];
  #writtenLength = 0;
  /** A failed append may have left the beginning of a line in the file. */
  #mayBeTorn = false;

  /** `append` adds text to the end of the file, and rejects if it could not. */
  constructor(append: (text: string) => Promise<void>) {
    this.#append = append;
  }

  /** Number of rows that are not in the file yet. */
  get pending(): number {
    return this.#pending.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** The lines that are not in the file yet. */
  get pendingLines(): string {
    return this.#pending.map(({ text }) => text).join('');
  }

  /** The lines that were in the file before this writer. */
  remember(lines: string): void {
    this.#written = [lines];
    this.#writtenLength = lines.length;
    this.#forget();
  }

  /** Everything that the file should have, if it has to be written again. */
  get allLines(): string {
    return `${this.#written.join('')}\n${this.pendingLines}`;
  }

  /** The file has `allLines` now. */
  rewritten(): void {
    for (const { text } of this.#pending) this.#keep(text);
    this.#pending = [];
    this.#mayBeTorn = false;
  }

  #keep(text: string): void {
    this.#written.push(text);
    this.#writtenLength += text.length;
    this.#forget();
  }

  /** Forgets the oldest lines, once there are very many. */
  #forget(): void {
    while (this.#writtenLength > LIMIT) this.#writtenLength -= this.#written.shift()?.length ?? 0;
  }

  /** Adds rows. Encodes them at once, so the caller may reuse or transfer the columns. */
  add(columns: MetricColumns): void {
    if (columns.step.length === 0) return;
    this.#pending.push({ text: metricLines(columns), rows: columns.step.length });
  }

  /** Invalidates the rows after `step` that were added so far: the run continues from there. */
  rewind(step: number): void {
    // The line break ends a row that was cut short when the tab closed.
    this.#pending.push({ text: `\n${resumeLine(step)}`, rows: 0 });
  }

  /**
   * Appends everything that was added before the append starts, after earlier flushes have ended.
   * Rejects if the append fails; the rows then stay pending.
   */
  flush(): Promise<void> {
    const append = (): Promise<void> => this.#appendPending();
    this.#lastFlush = this.#lastFlush.then(append, append);
    return this.#lastFlush;
  }

  async #appendPending(): Promise<void> {
    const count = this.#pending.length;
    if (count === 0) return;
    const lines = this.pendingLines;
    try {
      await this.#append(this.#mayBeTorn ? `\n${lines}` : lines);
    } catch (error) {
      this.#mayBeTorn = true;
      throw error;
    }
    this.#mayBeTorn = false;
    // Rows that were added during the append are behind these.
    for (const { text } of this.#pending.splice(0, count)) this.#keep(text);
  }
}
