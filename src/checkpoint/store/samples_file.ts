/**
 * The only reader and writer of a run's samples.jsonl. Samples are appended; when the file has grown
 * too large, what is worth keeping is written to the other of two files that take turns, so that a
 * tab that closes at any moment leaves one of them whole.
 */
import { MAX_SAMPLES, thinSteps, type Sample } from '../../common/index.ts';
import { isRecord } from '../json.ts';
import {
  MAX_SAMPLE_BYTES,
  MAX_SAMPLES_FILE,
  parseSamples,
  readSampleLines,
  sampleLine,
  samplesResumeLine,
  type StoredLine,
} from '../sample_lines.ts';
import type { FileSystem } from './file_system.ts';

/** A file whose first line says how many lines were written together with it. */
interface Turn {
  turn: number;
  content: string;
  bytes: number;
}

const EMPTY: Turn = { turn: 0, content: '', bytes: 0 };

const pathOf = (folder: string, turn: number): string => `${folder}/samples.jsonl.${turn % 2}`;

const fits = (lines: readonly StoredLine[]): boolean =>
  lines.length <= MAX_SAMPLES &&
  lines.reduce((sum, { line }) => sum + line.length, 0) <= MAX_SAMPLE_BYTES;

export class SamplesFile {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #exclusively: <T>(action: () => Promise<T>) => Promise<T>;
  /** The file that is appended to; null until it was looked for. */
  #current: Turn | null = null;
  /** All samples that are kept, those that are still pending included. */
  #kept: StoredLine[] = [];
  #pending: string[] = [];
  /** The lowest step that the samples were rewound to before the file was looked for. */
  #rewoundTo = Infinity;
  /** An append failed, or too much is pending: the next write replaces the file. */
  #mustReplace = false;

  /** `exclusively` runs an action while no other operation uses the run's folder. */
  constructor(
    fs: FileSystem,
    folder: string,
    exclusively: <T>(action: () => Promise<T>) => Promise<T>,
  ) {
    this.#fs = fs;
    this.#folder = folder;
    this.#exclusively = exclusively;
  }

  /** All samples of the run, oldest first, including those that are not in storage yet. */
  read(): Promise<Sample[]> {
    return this.#exclusively(async () => {
      await this.#open();
      return parseSamples(this.#kept);
    });
  }

  /** The content of samples.jsonl for an export up to a step; empty if there are no samples. */
  text(last: number): Promise<string> {
    return this.#exclusively(async () => {
      await this.#open();
      const kept = this.#kept.filter(({ step }) => step <= last);
      return joined(kept.map(({ line }) => line));
    });
  }

  /** Adds a sample, which the next flush writes. */
  add(sample: Sample): void {
    const stored = sampleLine(sample);
    this.#kept = thinSteps([...this.#kept, stored], fits);
    this.#pending.push(stored.line);
    if (this.#pending.length <= MAX_SAMPLES) return;
    this.#pending = [];
    this.#mustReplace = true;
  }

  /** Drops the samples after `step`: the run continues from there. */
  rewind(step: number): void {
    this.#kept = this.#kept.filter((stored) => stored.step <= step);
    this.#rewoundTo = Math.min(this.#rewoundTo, step);
    this.#pending.push(samplesResumeLine(step));
  }

  /** The file has disappeared: the next flush writes all samples that are kept. */
  lost(): void {
    this.#current = { ...EMPTY };
    this.#mustReplace = true;
  }

  /** Writes what is pending. Rejects if storage refuses; it then stays pending. */
  flush(): Promise<void> {
    if (this.#pending.length === 0 && !this.#mustReplace) return Promise.resolve();
    return this.#exclusively(() => this.#write());
  }

  async #write(): Promise<void> {
    const current = await this.#open();
    const count = this.#pending.length;
    const bytes = new TextEncoder().encode(joined(this.#pending));
    const isFull = current.bytes + bytes.length > 2 * MAX_SAMPLE_BYTES;
    if (current.turn === 0 || isFull || this.#mustReplace) {
      await this.#replace(current.turn + 1);
      return;
    }
    try {
      await this.#fs.append(pathOf(this.#folder, current.turn), bytes);
    } catch (error) {
      // The file may end in half a line now.
      this.#mustReplace = true;
      throw error;
    }
    current.bytes += bytes.length;
    // Lines that were added during the append are behind these.
    this.#pending.splice(0, count);
  }

  /** Writes everything that is kept to the other file, and removes the one before it. */
  async #replace(turn: number): Promise<void> {
    const lines = this.#kept.map(({ line }) => line);
    const header = JSON.stringify({ turn, count: lines.length });
    const bytes = new TextEncoder().encode(joined([header, ...lines]));
    this.#pending = [];
    this.#mustReplace = false;
    try {
      await this.#fs.write(pathOf(this.#folder, turn), bytes);
    } catch (error) {
      this.#mustReplace = true;
      throw error;
    }
    this.#current = { turn, content: '', bytes: bytes.length };
    await this.#fs.remove(pathOf(this.#folder, turn + 1));
  }

  /** Looks for the file, once, and puts the samples that were added meanwhile behind its own. */
  async #open(): Promise<Turn> {
    if (this.#current) return this.#current;
    const found = await newest(this.#fs, this.#folder);
    if (found.turn > 0) {
      const stored = readSampleLines(found.content).filter(({ step }) => step <= this.#rewoundTo);
      this.#kept = thinSteps([...stored, ...this.#kept], fits);
    }
    this.#current = { ...found, content: '' };
    return this.#current;
  }
}

const joined = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/** The file with the higher turn, unless it was not written completely. */
async function newest(fs: FileSystem, folder: string): Promise<Turn> {
  const turns = [await readTurn(fs, folder, 0), await readTurn(fs, folder, 1)];
  return turns.reduce((best, turn) => (turn.turn > best.turn ? turn : best), EMPTY);
}

async function readTurn(fs: FileSystem, folder: string, parity: number): Promise<Turn> {
  const bytes = await fs.read(pathOf(folder, parity));
  if (!bytes || bytes.length > MAX_SAMPLES_FILE) return EMPTY;
  const content = new TextDecoder().decode(bytes);
  const [header = '', ...lines] = content.split('\n');
  try {
    const value: unknown = JSON.parse(header);
    if (!isRecord(value) || typeof value.turn !== 'number') return EMPTY;
    // The last of the lines is what follows the last line break.
    const isWhole = typeof value.count === 'number' && lines.length - 1 >= value.count;
    return isWhole ? { turn: value.turn, content, bytes: bytes.length } : EMPTY;
  } catch {
    return EMPTY;
  }
}
