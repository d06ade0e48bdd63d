/**
 * A growing file of records in a run's folder: append-only, so that a tab that closes at any moment
 * loses at most the line that it was writing. When the file has grown too large, the next lines go
 * to the other of two files that take turns, and what that one had is dropped.
 */
import { isRecord } from '../json.ts';
import {
  readRecords,
  type RecordKind,
  recordLines,
  resumeRecordsLine,
  UNDO_LINE,
} from '../record_lines.ts';
import type { FileSystem } from './file_system.ts';

/** What is kept of a run's records. */
export interface KeptRecords<T> {
  /** Oldest first. */
  records: T[];
  /** How many older ones were dropped. */
  dropped: number;
}

/** One of the two files. Its first line is a header. */
interface Turn {
  turn: number;
  /** Records that had been dropped when it was begun. */
  dropped: number;
  bytes: Uint8Array;
}

const EMPTY: Turn = { turn: 0, dropped: 0, bytes: new Uint8Array() };

/** Longest header, in bytes. */
const MAX_HEADER = 100;

/** Lines that wait at most, in characters: beyond them the oldest are lost. */
const MAX_PENDING = 2 ** 24;

export class RecordFile<T> {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #kind: RecordKind<T>;
  readonly #exclusively: <R>(action: () => Promise<R>) => Promise<R>;
  #pending: string[] = [];

  /** `exclusively` runs an action while no other worker uses the file. */
  constructor(
    fs: FileSystem,
    folder: string,
    kind: RecordKind<T>,
    exclusively: <R>(action: () => Promise<R>) => Promise<R>,
  ) {
    this.#fs = fs;
    this.#path = `${folder}/${kind.file}`;
    this.#kind = kind;
    this.#exclusively = exclusively;
  }

  /** Adds records, which the next flush writes. */
  add(records: readonly T[]): void {
    if (records.length > 0) this.#push(recordLines(records));
  }

  /** Takes the newest record back. */
  undo(): void {
    this.#push(UNDO_LINE);
  }

  /** Drops the records after `step`: the run continues from there. */
  rewind(step: number): void {
    this.#push(resumeRecordsLine(step));
  }

  /** Writes what is pending. Rejects if storage refuses; it then stays pending. */
  flush(): Promise<void> {
    if (this.#pending.length === 0) return Promise.resolve();
    return this.#exclusively(() => this.#write());
  }

  /** All records that are kept, those that are not in storage yet included. */
  read(): Promise<KeptRecords<T>> {
    return this.#exclusively(async () => {
      const [older, newer] = await this.#turns();
      const content = [...[older, newer].map(contentOf), this.#pending.join('')].join('\n');
      return { records: readRecords(content, this.#kind), dropped: newer.dropped };
    });
  }

  #push(lines: string): void {
    this.#pending.push(lines);
    let waiting = this.#pending.reduce((total, { length }) => total + length, 0);
    while (waiting > MAX_PENDING && this.#pending.length > 1) {
      waiting -= this.#pending.shift()?.length ?? 0;
    }
  }

  async #write(): Promise<void> {
    const count = this.#pending.length;
    const lines = this.#pending.join('');
    const [older, newer] = await this.#turns();
    if (newer.turn === 0 || newer.bytes.length > this.#kind.max_bytes) {
      const gone = readRecords(contentOf(older), this.#kind).length;
      const header = { turn: newer.turn + 1, dropped: newer.dropped + gone };
      const bytes = new TextEncoder().encode(`${JSON.stringify(header)}\n${lines}`);
      await this.#fs.write(this.#pathOf(header.turn), bytes);
    } else {
      // The line break ends a line that was cut short when a tab closed.
      await this.#fs.append(this.#pathOf(newer.turn), new TextEncoder().encode(`\n${lines}`));
    }
    // Lines that were added meanwhile are behind these.
    this.#pending.splice(0, count);
  }

  /** Both files, the older one first. */
  async #turns(): Promise<[Turn, Turn]> {
    const [first, second] = [await this.#readTurn(0), await this.#readTurn(1)];
    return first.turn > second.turn ? [second, first] : [first, second];
  }

  async #readTurn(parity: number): Promise<Turn> {
    const bytes = await this.#fs.read(this.#pathOf(parity));
    if (!bytes) return EMPTY;
    const header = headerOf(new TextDecoder().decode(bytes.subarray(0, MAX_HEADER)));
    return header ? { ...header, bytes } : EMPTY;
  }

  #pathOf(turn: number): string {
    return `${this.#path}.${turn % 2}`;
  }
}

/** Runs actions one after the other, for a file that one worker writes. */
export function inTurn(): <R>(action: () => Promise<R>) => Promise<R> {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const result = last.then(action, action);
    last = result;
    return result;
  };
}

/** All lines; the reader skips the header. */
const contentOf = ({ bytes }: Turn): string => new TextDecoder().decode(bytes);

function headerOf(start: string): Pick<Turn, 'turn' | 'dropped'> | null {
  try {
    const value: unknown = JSON.parse(start.slice(0, start.indexOf('\n')));
    if (!isRecord(value)) return null;
    const { turn, dropped } = value;
    return typeof turn === 'number' && typeof dropped === 'number' ? { turn, dropped } : null;
  } catch {
    return null;
  }
}
