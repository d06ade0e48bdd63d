/**
 * Generation on WebGPU for a fixed number of rows. A decoding step reads the tokens that the step
 * before it chose, so that a chunk of steps is one submit; JavaScript reads the history of a chunk
 * while the next one is under way. Each row has its own length and end: how many tokens it may make
 * until its context is full or it has enough stands on the GPU (`progress`), and a row that may
 * make no more rests until JavaScript has it read its prompt again, or for good.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  type Outputs,
  type Program,
  readback,
  Store,
  submit,
  type Values,
} from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import {
  CONTROL_COLUMNS,
  PROGRESS_COLUMNS,
  recordToken,
  sampleTokens,
  CHOICE_TOKENS,
} from '../ops/generation.ts';
import { run } from '../ops/index.ts';
import type { Choice } from '../ops/sample_token/sampler.ts';
import { CachedForward, int } from './cached_forward.ts';
import { contextOf, type Decoder, type DecodeOptions, type RowChoice } from './decoder.ts';
import { logitsOf } from './host_decoder.ts';
import type { ParameterSource } from './weights.ts';

/** Steps of the longest chunk, and tokens of a row that the history holds. */
const LONGEST = 32;
/**
 * Chunks grow while one takes less than this: the page sees tokens in pieces of it, and a cancelled
 * one is waited for.
 */
const CHUNK_MS = 50;
/**
 * Rows that wait for their prompts to be read are taken together, once they are this share of those
 * that go on.
 */
const WAITING_SHARE = 0.25;

/** A row as JavaScript expects it once everything submitted has run (no stop token assumed). */
interface Row {
  /** Prompt and tokens received. */
  ids: number[];
  received: number;
  made: number;
  left: number;
  position: number;
  ended: boolean;
}
interface Chunk {
  steps: number;
  submitted: number;
  values: Promise<Values[]>;
}

export class GpuDecoder implements Decoder {
  private constructor(
    private readonly cached: CachedForward,
    private readonly fixed: Store,
    private readonly prefill: Program<{ logits: Tensor }>,
    readonly next: Program,
  ) {}

  static async create(
    model: ResolvedModel,
    weights: ParameterSource,
    rotary: Store | null,
    B: number,
  ): Promise<GpuDecoder> {
    const cached = new CachedForward(model, weights, rotary, B, [
      int('progress', B, PROGRESS_COLUMNS),
      int('history_ids', B, LONGEST, CHOICE_TOKENS),
      { name: 'history_probabilities', shape: [B, LONGEST, CHOICE_TOKENS] },
    ]);
    // Not among the state: a dispatch may not write a buffer of which it reads another part.
    const fixed = new Store('sampling', [
      { name: 'options', shape: [4] },
      int('prefill', B, CONTROL_COLUMNS),
      int('decode', B, CONTROL_COLUMNS),
    ]);
    const choose = (logits: Tensor, control: Tensor): void => {
      const of = (name: string): Tensor => cached.token.get(name);
      const chosen = run(
        sampleTokens,
        { logits, control, progress: of('progress'), options: fixed.get('options') },
        {},
      );
      run(
        recordToken,
        {
          ids: of('ids'),
          positions: of('positions'),
          progress: of('progress'),
          history_ids: of('history_ids'),
          history_probabilities: of('history_probabilities'),
          chosen: chosen.ids,
          probabilities: chosen.probabilities,
          control,
        },
        { slots: LONGEST },
      );
    };
    const prefill = await compileProgram('prefill', () => {
      const logits = cached.prefill();
      choose(logits, fixed.get('prefill'));
      return { logits };
    });
    const next = await compileProgram('decode', (): Outputs => {
      choose(cached.decode(), fixed.get('decode'));
      return {};
    });
    return new GpuDecoder(cached, fixed, prefill, next);
  }

  get rows(): number {
    return this.cached.B;
  }
  get bytes(): number {
    return this.cached.bytes + this.prefill.ownBytes + this.next.ownBytes;
  }
  dispose(): void {
    for (const d of [this.prefill, this.next, this.cached, this.fixed]) d.dispose();
  }

  async *decode(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    const { max_new_tokens } = options;
    const rows = prompts.map((ids): Row => ({
      ids: [...ids],
      received: 0,
      made: 0,
      left: 0,
      position: 0,
      ended: max_new_tokens <= 0,
    }));
    const under: Chunk[] = [];
    let size = 4;
    let last = 0;
    this.fixed.write(
      'options',
      Float32Array.of(options.temperature, options.top_k, options.top_p, options.min_p),
    );
    this.fixed.write(
      'decode',
      this.control(options, () => true),
    );
    try {
      for (;;) {
        while (under.length < 2) {
          const chunk = this.submitNext(rows, options, size);
          if (!chunk) break;
          under.push(chunk);
        }
        const chunk = under.shift();
        if (!chunk) return;
        const values = await chunk.values;
        const now = performance.now();
        const each = (now - Math.max(last, chunk.submitted)) / chunk.steps;
        last = now;
        size = Math.max(1, Math.min(4 * size, LONGEST, Math.floor(CHUNK_MS / each)));
        yield* received(rows, values, options);
      }
    } finally {
      await Promise.allSettled(under.map((c) => c.values));
    }
  }

  /**
   * The prefill of rows that wait for it, or steps of those that can go on; null where there is
   * nothing to do before something arrives.
   */
  private submitNext(rows: Row[], options: DecodeOptions, size: number): Chunk | null {
    const going = rows.filter((r) => !r.ended && r.received < options.max_new_tokens);
    const waiting = going.filter((r) => r.left === 0 && r.received === r.made);
    const able = going.some((r) => r.left > 0);
    if (waiting.length > 0 && (!able || waiting.length >= WAITING_SHARE * going.length))
      return this.fill(rows, new Set(waiting), options);
    const steps = Math.min(size, Math.max(0, ...going.map((r) => r.left)));
    if (steps === 0) return null;
    for (const r of rows) advance(r, steps);
    return this.launch(this.next, steps);
  }

  private fill(rows: Row[], waiting: ReadonlySet<Row>, options: DecodeOptions): Chunk {
    const T = this.cached.model.block_size;
    const prompts = new Map<number, readonly number[]>();
    rows.forEach((r, b) => {
      if (!waiting.has(r)) return;
      const context = contextOf(r.ids, T, r.made > 0);
      prompts.set(b, context);
      r.position = context.length - 1;
      r.left = Math.min(options.max_new_tokens - r.received, 1 + T - context.length);
    });
    this.cached.writePrompts(prompts);
    this.fixed.write(
      'prefill',
      this.control(options, (b) => prompts.has(b)),
    );
    // A row that has stopped meanwhile is woken by this: nothing that it makes is looked at.
    this.cached.token.write(
      'positions',
      Int32Array.from(rows, (r) => r.position),
    );
    this.cached.token.write('progress', Int32Array.from(rows.flatMap((r) => [r.made, r.left])));
    for (const r of waiting) advance(r, 1);
    return this.launch(this.prefill, 1);
  }

  private control(
    { sample_seed, stop_id }: DecodeOptions,
    takesPart: (b: number) => boolean,
  ): Int32Array {
    return Int32Array.from(
      Array.from({ length: this.rows }, (_, b) => [
        sample_seed,
        takesPart(b) ? 1 : 0,
        stop_id ?? -1,
      ]).flat(),
    );
  }

  private launch(program: Program, steps: number): Chunk {
    const { token } = this.cached;
    const submitted = performance.now();
    submit(Array.from({ length: steps }, () => program));
    const values = readback(
      ['history_ids', 'history_probabilities', 'progress'].map((name) => token.get(name)),
    );
    // Another chunk may fail first; whoever waits for this one still hears of it.
    values.catch(() => undefined);
    return { steps, submitted, values };
  }

  /** The caches and the rows that are under way stay as they are. */
  readPrompt(ids: readonly number[]): Promise<Float32Array> {
    this.cached.writePrompts(new Map([[0, ids]]), false);
    this.fixed.write('prefill', new Int32Array(this.rows * CONTROL_COLUMNS));
    return logitsOf(this.prefill);
  }
}

/** What `record_token` does to a row in so many steps. */
function advance(r: Row, steps: number): void {
  const n = Math.min(steps, r.left);
  r.made += n;
  r.left -= n;
  r.position += r.left > 0 ? n : Math.max(0, n - 1);
}

/** Takes what a chunk has brought, oldest tokens first. */
function* received(
  rows: Row[],
  [ids, probabilities, progress]: readonly Values[],
  { stop_id }: DecodeOptions,
): Generator<RowChoice> {
  if (!ids || !probabilities || !progress) throw new Error('Generation gave no tokens.');
  const made = (b: number): number => progress[PROGRESS_COLUMNS * b] ?? 0;
  for (let again = true; again;) {
    again = false;
    for (const [row, r] of rows.entries()) {
      if (r.ended || r.received >= made(row)) continue;
      again = true;
      const choice = choiceAt(
        ids,
        probabilities,
        (row * LONGEST + (r.received++ % LONGEST)) * CHOICE_TOKENS,
      );
      r.ids.push(choice.id);
      if (choice.id === stop_id) {
        r.ended = true;
        r.left = 0;
      }
      yield { row, choice };
    }
  }
}

function choiceAt(ids: Values, probabilities: Values, at: number): Choice {
  const told = Array.from({ length: CHOICE_TOKENS }, (_, j) => ({
    id: ids[at + j] ?? -1,
    probability: probabilities[at + j] ?? 0,
  })).filter((t) => t.id >= 0);
  const [chosen, ...rivals] = told;
  return { id: chosen?.id ?? 0, probability: chosen?.probability ?? 0, rivals };
}
