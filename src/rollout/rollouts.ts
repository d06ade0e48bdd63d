/**
 * A batch of answers at fixed shapes: one program reads the prompts and samples the first token of
 * each row, another reads one token of each row and samples the next. Both record what they sample,
 * so that a rollout is one submit and one readback; long ones are cut into chunks, and end early
 * when every row has ended.
 *
 * The draw of a token is a function of (seed, row, index of the token): a rollout repeats from its
 * seed on one device.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  hasOwnKernels,
  onWebGpu,
  type Program,
  readback,
  Store,
  submit,
  type Values,
} from '../backend/index.ts';
import { CachedForward, type GenerationModel, int32Spec } from '../model/cached_forward.ts';
import {
  ROLLOUT_OPTIONS,
  ROLLOUT_PROGRESS,
  ROLLOUT_STATE,
  rolloutToken,
  rowSeed,
} from '../ops/generation.ts';
import { run } from '../ops/index.ts';
import type { Rollout, RolloutRequest } from './types.ts';

export interface RolloutSizes {
  /** Answers at once; more are made one batch after the other. */
  rows: number;
  /** Longest prompt, tokens. */
  prompt_length: number;
  /** Longest answer, tokens; it ends sooner where the model's context ends. */
  max_new_tokens: number;
}

/** Steps of a chunk: a readback waits for the GPU, and costs nothing on the processor. */
const GPU_CHUNK_STEPS = 64;
const CHUNK_STEPS = 8;

interface Parts {
  cached: CachedForward;
  sampling: Store;
  prefill: Program;
  decode: Program;
}

/** One batch of prompts, and what its rows share. */
interface RolloutBatch {
  prompts: readonly (readonly number[])[];
  /** Index of the first row in the request. */
  first: number;
  request: RolloutRequest;
}

/** What the device has recorded. */
interface Recorded {
  ids: Values;
  logps: Values;
  progress: Values;
}

export class Rollouts {
  readonly #parts: Parts;

  private constructor(
    readonly sizes: RolloutSizes,
    parts: Parts,
  ) {
    this.#parts = parts;
  }

  /**
   * Allocates the caches and compiles the programs. The weights must outlive the rollouts; their
   * values may change between calls.
   *
   * @throws RangeError if the longest prompt does not fit in the model's context
   */
  static async create(source: GenerationModel, sizes: RolloutSizes): Promise<Rollouts> {
    const { rows, prompt_length, max_new_tokens } = sizes;
    const { block_size } = source.model;
    if (prompt_length > block_size) throw tooLong(prompt_length, block_size);
    // The last token of an answer is never read.
    const context = Math.min(block_size, prompt_length + max_new_tokens - 1);
    const state = [
      int32Spec('progress', rows, ROLLOUT_PROGRESS),
      int32Spec('history_ids', rows, max_new_tokens),
      { name: 'history_logps', shape: [rows, max_new_tokens] },
    ];
    const held: { dispose(): void }[] = [];
    try {
      const cached = new CachedForward({ ...source, rows, state, prompt_length, context });
      held.push(cached);
      // A store of its own: a dispatch may not write a buffer of which it reads another part.
      const sampling = new Store('sampling', [
        int32Spec('seeds', rows),
        { name: 'options', shape: [ROLLOUT_OPTIONS] },
      ]);
      held.push(sampling);
      const step = { cached, sampling, slots: max_new_tokens };
      const prefill = await compileProgram('rollout prefill', () =>
        sampleNext(step, cached.prefill()),
      );
      held.push(prefill);
      const decode = await compileProgram('rollout decode', () =>
        sampleNext(step, cached.decode()),
      );
      return new Rollouts(sizes, { cached, sampling, prefill, decode });
    } catch (error) {
      // The run goes on, and may ask for smaller rollouts.
      for (const one of held) one.dispose();
      throw error;
    }
  }

  /** Bytes of the caches and programs. */
  get bytes(): number {
    const { cached, prefill, decode } = this.#parts;
    return cached.bytes + prefill.ownBytes + decode.ownBytes;
  }

  /** Bytes of the scratch that all programs share. */
  get scratchBytes(): number {
    const { prefill, decode } = this.#parts;
    return Math.max(prefill.scratchBytes, decode.scratchBytes);
  }

  /** Dispatches of an answer of `max_new_tokens`; null where nothing is replayed. */
  get dispatches(): number | null {
    const { prefill, decode } = this.#parts;
    if (prefill.dispatches === null || decode.dispatches === null) return null;
    return prefill.dispatches + (this.sizes.max_new_tokens - 1) * decode.dispatches;
  }

  /**
   * One answer to each prompt, in their order. One call at a time.
   *
   * @throws RangeError if a prompt is empty or longer than `prompt_length`, or if an answer may be
   * longer than `max_new_tokens`
   */
  async generate(request: RolloutRequest): Promise<Rollout[]> {
    this.#check(request);
    const { rows } = this.sizes;
    const { prompts } = request;
    const rollouts: Rollout[] = [];
    for (let first = 0; first < prompts.length; first += rows) {
      const batch = { prompts: prompts.slice(first, first + rows), first, request };
      rollouts.push(...(await this.#generateBatch(batch)));
    }
    return rollouts;
  }

  dispose(): void {
    const { cached, sampling, prefill, decode } = this.#parts;
    prefill.dispose();
    decode.dispose();
    cached.dispose();
    sampling.dispose();
  }

  #check({ prompts, max_new_tokens }: RolloutRequest): void {
    if (prompts.some((ids) => ids.length === 0)) {
      throw new RangeError('A rollout needs at least one token to start from.');
    }
    const longest = prompts.reduce((most, ids) => Math.max(most, ids.length), 0);
    if (longest > this.sizes.prompt_length) throw tooLong(longest, this.sizes.prompt_length);
    if (max_new_tokens > this.sizes.max_new_tokens) {
      throw new RangeError(
        `Answers of ${max_new_tokens} tokens were asked for, and these rollouts hold ` +
          `${this.sizes.max_new_tokens}.`,
      );
    }
  }

  async #generateBatch(batch: RolloutBatch): Promise<Rollout[]> {
    const { prefill, decode } = this.#parts;
    this.#write(batch);
    const { max_new_tokens } = batch.request;
    const chunk = onWebGpu() ? GPU_CHUNK_STEPS : CHUNK_STEPS;
    let submitted = 0;
    for (;;) {
      const steps = Math.min(chunk, max_new_tokens - submitted);
      const programs = Array.from({ length: steps }, (_, step) =>
        submitted + step === 0 ? prefill : decode,
      );
      submit(programs);
      submitted += steps;
      const recorded = await this.#read(submitted >= max_new_tokens);
      if (recorded) return this.#rolloutsOf(batch, recorded);
    }
  }

  /** Uploads a batch; rows without a prompt have no tokens to generate. */
  #write({ prompts, first, request }: RolloutBatch): void {
    const { cached, sampling } = this.#parts;
    const { rows } = this.sizes;
    const { seed, temperature, vocab_limit = 0, stop_id, max_new_tokens } = request;
    const first_row = (request.first_row ?? 0) + first;
    const progress = new Int32Array(rows * ROLLOUT_PROGRESS);
    const positions = new Int32Array(rows);
    prompts.forEach((ids, row) => {
      progress[ROLLOUT_PROGRESS * row + 1] = Math.min(
        max_new_tokens,
        cached.context + 1 - ids.length,
      );
      positions[row] = ids.length - 1;
    });
    cached.writePrompts(new Map(prompts.entries()));
    cached.token.write('positions', positions);
    cached.token.write('progress', progress);
    sampling.write(
      'seeds',
      Int32Array.from({ length: rows }, (_, row) => rowSeed(seed, first_row + row)),
    );
    sampling.write('options', Float32Array.of(temperature, vocab_limit, stop_id));
  }

  /** What was recorded, or null if some row may go on and the request allows more tokens. */
  async #read(last: boolean): Promise<Recorded | null> {
    const { token } = this.#parts.cached;
    const names = ['progress', 'history_ids', 'history_logps'];
    const [progress, ids, logps] = await readback(names.map((name) => token.get(name)));
    if (!progress || !ids || !logps) throw new Error('The rollout returned no tokens.');
    const goesOn = progress.some((left, i) => i % ROLLOUT_PROGRESS === 1 && left > 0);
    return goesOn && !last ? null : { ids, logps, progress };
  }

  #rolloutsOf({ prompts, request }: RolloutBatch, recorded: Recorded): Rollout[] {
    const slots = this.sizes.max_new_tokens;
    return prompts.map((_, row): Rollout => {
      const length = recorded.progress[ROLLOUT_PROGRESS * row] ?? 0;
      const start = row * slots;
      const ids = Int32Array.from(recorded.ids.slice(start, start + length));
      const logps = Float32Array.from(recorded.logps.slice(start, start + length));
      return { ids, logps, ended: ids.at(-1) === request.stop_id };
    });
  }
}

interface SamplingStep {
  cached: CachedForward;
  sampling: Store;
  slots: number;
}

/** Samples the token after `logits` [rows, vocab_size] and makes it the next input. */
function sampleNext(
  { cached, sampling, slots }: SamplingStep,
  logits: Tensor,
): Record<string, Tensor> {
  const { token } = cached;
  const inputs = {
    ids: token.get('ids'),
    positions: token.get('positions'),
    progress: token.get('progress'),
    history_ids: token.get('history_ids'),
    history_logps: token.get('history_logps'),
    logits,
    seeds: sampling.get('seeds'),
    options: sampling.get('options'),
  };
  const after = run(rolloutToken, inputs, { slots });
  // Kernels have updated the store in place.
  if (!hasOwnKernels()) for (const name of ROLLOUT_STATE) token.replace(name, after[name]);
  return {};
}

function tooLong(length: number, limit: number): RangeError {
  return new RangeError(
    `A prompt has ${length} tokens, and at most ${limit} fit: shorten it, or choose a model with a ` +
      'longer context.',
  );
}
