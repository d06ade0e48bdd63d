/**
 * Generation with our own kernels, on WebGPU and on the processor, for a fixed number of rows. Each
 * decoding step reads the tokens that the previous step chose, so a chunk of steps is one submit; on
 * WebGPU, JavaScript reads the history of one chunk while the next is in flight. Rows have their own
 * lengths and ends: `progress` on the device says how many tokens a row may still make before its
 * context is full or it has enough. A row that may make none is idle until JavaScript submits a
 * prefill of its prompt.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  onProcessor,
  type Program,
  readback,
  Store,
  submit,
} from '../backend/index.ts';
import {
  CHOICE_TOKENS,
  CONTROL_COLUMNS,
  OPTIONS,
  PROGRESS_COLUMNS,
  recordToken,
  sampleTokens,
} from '../ops/generation.ts';
import { run } from '../ops/index.ts';
import { CachedForward, type GenerationModel, int32Spec } from './cached_forward.ts';
import { contextOf, type Decoder, type DecodeOptions, type RowChoice } from './decoder.ts';
import { type LogitsProgram, readLogits } from './host_decoder.ts';
import {
  advance,
  type ChunkValues,
  expectedRow,
  type ExpectedRow,
  MAX_CHUNK_STEPS,
  newTokens,
} from './rows_in_flight.ts';

/**
 * Chunks grow until one takes this many milliseconds: the page receives tokens in such pieces, and
 * cancelling waits for the chunks in flight.
 */
const CHUNK_MS = 50;
const FIRST_CHUNK_STEPS = 4;
/** On the processor a chunk is finished when `submit` returns. */
const chunksInFlight = (): number => (onProcessor() ? 1 : 2);

/** Rows that wait for a prefill get one together, once they are this share of the active rows. */
const WAITING_SHARE = 0.25;

/** Steps in flight and the history that they leave. */
interface Chunk {
  steps: number;
  /** `performance.now()` at the submit. */
  submitted: number;
  values: Promise<ChunkValues>;
}

export class DeviceDecoder implements Decoder {
  readonly #cached: CachedForward;
  /** Sampling options, and which rows a prefill or a decoding step applies to. */
  readonly #sampling: Store;
  readonly #prefill: LogitsProgram;

  private constructor(
    parts: { cached: CachedForward; sampling: Store; prefill: LogitsProgram },
    readonly next: Program,
  ) {
    this.#cached = parts.cached;
    this.#sampling = parts.sampling;
    this.#prefill = parts.prefill;
  }

  static async create(source: GenerationModel, rows: number): Promise<DeviceDecoder> {
    const state = [
      int32Spec('progress', rows, PROGRESS_COLUMNS),
      int32Spec('history_ids', rows, MAX_CHUNK_STEPS, CHOICE_TOKENS),
      { name: 'history_probabilities', shape: [rows, MAX_CHUNK_STEPS, CHOICE_TOKENS] },
    ];
    const cached = new CachedForward({ ...source, rows, state });
    const held: { dispose(): void }[] = [cached];
    try {
      // A store of its own: a dispatch may not write a buffer of which it reads another part.
      const sampling = new Store('sampling', [
        { name: 'options', shape: [OPTIONS] },
        int32Spec('prefill', rows, CONTROL_COLUMNS),
        int32Spec('decode', rows, CONTROL_COLUMNS),
      ]);
      held.push(sampling);
      const prefill = await compileProgram('prefill', () => {
        const logits = cached.prefill();
        sampleAndRecord(cached.token, sampling, { logits, control: sampling.get('prefill') });
        return { logits };
      });
      held.push(prefill);
      const next = await compileProgram('decode', (): Record<string, Tensor> => {
        const logits = cached.decode();
        sampleAndRecord(cached.token, sampling, { logits, control: sampling.get('decode') });
        return {};
      });
      return new DeviceDecoder({ cached, sampling, prefill }, next);
    } catch (error) {
      // The run goes on, and may ask for another generation.
      for (const one of held) one.dispose();
      throw error;
    }
  }

  get rows(): number {
    return this.#cached.rows;
  }

  get bytes(): number {
    return this.#cached.bytes + this.#prefill.ownBytes + this.next.ownBytes;
  }

  async *decode(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    const rows = prompts.map((ids) => expectedRow(ids, options));
    const { temperature, top_k, top_p, min_p, vocab_limit = 0 } = options;
    const values = Float32Array.of(temperature, top_k, top_p, min_p, vocab_limit);
    this.#sampling.write('options', values);
    this.#writeControl('decode', options, () => true);
    const inFlight: Chunk[] = [];
    let chunkSteps = FIRST_CHUNK_STEPS;
    let lastArrival = 0;
    try {
      for (;;) {
        this.#submitChunks(inFlight, rows, options, chunkSteps);
        const chunk = inFlight.shift();
        if (!chunk) return;
        const values = await chunk.values;
        const arrival = performance.now();
        const stepMs = (arrival - Math.max(lastArrival, chunk.submitted)) / chunk.steps;
        lastArrival = arrival;
        chunkSteps = nextChunkSteps(chunkSteps, stepMs);
        yield* newTokens(rows, values, options.stop_id);
      }
    } finally {
      await Promise.allSettled(inFlight.map((chunk) => chunk.values));
    }
  }

  /** Leaves the caches and the rows in flight unchanged. */
  readPrompt(ids: readonly number[]): Promise<Float32Array> {
    this.#cached.writePrompts(new Map([[0, ids]]), false);
    this.#sampling.write('prefill', new Int32Array(this.rows * CONTROL_COLUMNS));
    return readLogits(this.#prefill);
  }

  dispose(): void {
    this.#prefill.dispose();
    this.next.dispose();
    this.#cached.dispose();
    this.#sampling.dispose();
  }

  #submitChunks(
    inFlight: Chunk[],
    rows: readonly ExpectedRow[],
    options: DecodeOptions,
    steps: number,
  ): void {
    while (inFlight.length < chunksInFlight()) {
      const chunk = this.#submitNext(rows, options, steps);
      if (!chunk) return;
      inFlight.push(chunk);
    }
  }

  /**
   * A prefill of the rows that wait for one, or steps of the rows that can continue. Null if there
   * is nothing to do before results arrive.
   */
  #submitNext(
    rows: readonly ExpectedRow[],
    options: DecodeOptions,
    maxSteps: number,
  ): Chunk | null {
    const active = rows.filter((row) => !row.ended && row.received < options.max_new_tokens);
    const waiting = active.filter((row) => row.left === 0 && row.received === row.made);
    const someCanContinue = active.some((row) => row.left > 0);
    const enoughWait = waiting.length >= WAITING_SHARE * active.length;
    if (waiting.length > 0 && (!someCanContinue || enoughWait)) {
      return this.#prefillRows(rows, new Set(waiting), options);
    }
    const steps = Math.min(maxSteps, Math.max(0, ...active.map((row) => row.left)));
    if (steps === 0) return null;
    for (const row of rows) advance(row, steps);
    return this.#launch(this.next, steps);
  }

  #prefillRows(
    rows: readonly ExpectedRow[],
    waiting: ReadonlySet<ExpectedRow>,
    options: DecodeOptions,
  ): Chunk {
    const { block_size } = this.#cached.model;
    const prompts = new Map<number, readonly number[]>();
    rows.forEach((row, index) => {
      if (!waiting.has(row)) return;
      const context = contextOf(row.ids, block_size, row.made > 0);
      prompts.set(index, context);
      row.position = context.length - 1;
      row.left = Math.min(options.max_new_tokens - row.received, 1 + block_size - context.length);
    });
    const { token } = this.#cached;
    this.#cached.writePrompts(prompts);
    this.#writeControl('prefill', options, (index) => prompts.has(index));
    // This also wakes rows that have stopped in the meantime; their tokens are ignored.
    token.write(
      'positions',
      Int32Array.from(rows, (row) => row.position),
    );
    token.write('progress', Int32Array.from(rows.flatMap((row) => [row.made, row.left])));
    for (const row of waiting) advance(row, 1);
    return this.#launch(this.#prefill, 1);
  }

  /** Uploads the control columns of each row: seed, whether it takes part, stop token or -1. */
  #writeControl(
    name: 'prefill' | 'decode',
    { sample_seed, stop_id }: DecodeOptions,
    takesPart: (row: number) => boolean,
  ): void {
    const columns = Array.from({ length: this.rows }, (_, row) => [
      sample_seed,
      takesPart(row) ? 1 : 0,
      stop_id ?? -1,
    ]);
    this.#sampling.write(name, Int32Array.from(columns.flat()));
  }

  #launch(program: Program, steps: number): Chunk {
    const submitted = performance.now();
    submit(Array.from({ length: steps }, () => program));
    const values = this.#readHistory();
    // Prevents an unhandled rejection if an earlier chunk fails first; the awaiting caller still
    // sees the error.
    values.catch(() => undefined);
    return { steps, submitted, values };
  }

  async #readHistory(): Promise<ChunkValues> {
    const names = ['history_ids', 'history_probabilities', 'progress'];
    const { token } = this.#cached;
    const [ids, probabilities, progress] = await readback(names.map((name) => token.get(name)));
    if (!ids || !probabilities || !progress) throw new Error('The decoder returned no tokens.');
    return { ids, probabilities, progress };
  }
}

/** Chooses the next token of each row that takes part, and appends it to the row's history. */
function sampleAndRecord(
  token: Store,
  sampling: Store,
  { logits, control }: { logits: Tensor; control: Tensor },
): void {
  const progress = token.get('progress');
  const options = sampling.get('options');
  const chosen = run(sampleTokens, { logits, control, progress, options }, {});
  const row = {
    ids: token.get('ids'),
    positions: token.get('positions'),
    progress,
    history_ids: token.get('history_ids'),
    history_probabilities: token.get('history_probabilities'),
  };
  const choice = { chosen: chosen.ids, probabilities: chosen.probabilities, control };
  run(recordToken, { ...row, ...choice }, { slots: MAX_CHUNK_STEPS });
}

/** At most four times as many steps as before. */
function nextChunkSteps(steps: number, stepMs: number): number {
  return Math.max(1, Math.min(4 * steps, MAX_CHUNK_STEPS, Math.floor(CHUNK_MS / stepMs)));
}
