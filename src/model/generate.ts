/**
 * Generation with a KV cache. Where there are kernels of ours, the programs sample and feed
 * themselves (`device_decoder.ts`); elsewhere logits are read back and sampled in JavaScript
 * (`host_decoder.ts`). Both choose the same tokens for a seed.
 */
import type { Program, Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { kernelsInUse } from '../ops/index.ts';
import type { Choice } from '../ops/sample_token/sampler.ts';
import type { Decoder, DecodeOptions, RowChoice } from './decoder.ts';
import { DeviceDecoder } from './device_decoder.ts';
import { HostDecoder } from './host_decoder.ts';
import type { ParameterSource } from './weights.ts';

export class Generator {
  readonly #makeDecoder: (rows: number) => Promise<Decoder>;
  readonly #oneRow: Decoder;
  /** For several rows at once; kept for the next call with as many. */
  #severalRows: Decoder | null = null;

  private constructor(makeDecoder: (rows: number) => Promise<Decoder>, oneRow: Decoder) {
    this.#makeDecoder = makeDecoder;
    this.#oneRow = oneRow;
  }

  /**
   * Compiles the programs of one row. The weights must outlive the generator; their values may
   * change between calls.
   */
  static async create(
    model: ResolvedModel,
    weights: ParameterSource,
    rotary: Store | null,
  ): Promise<Generator> {
    const source = { model, weights, rotary };
    const makeDecoder = kernelsInUse()
      ? (rows: number) => DeviceDecoder.create(source, rows)
      : () => HostDecoder.create(source);
    return new Generator(makeDecoder, await makeDecoder(1));
  }

  get bytes(): number {
    return this.#oneRow.bytes + (this.#severalRows?.bytes ?? 0);
  }

  /** `generateRows` with one row. */
  async *generate(prompt_ids: readonly number[], options: DecodeOptions): AsyncGenerator<Choice> {
    for await (const { choice } of this.generateRows([prompt_ids], options)) yield choice;
  }

  /**
   * Streams the tokens that follow each prompt, row after row or as they arrive. A row ends with its
   * stop token, which is included. When a row outgrows the context, its latest half is read again.
   * Leaving the loop stops generation; tokens in flight are dropped. One call at a time.
   *
   * @throws RangeError if a prompt is empty
   */
  async *generateRows(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    if (prompts.some((ids) => ids.length === 0)) {
      throw new RangeError('Generation needs at least one token to start from.');
    }
    if (prompts.length === 0) return;
    const decoder = await this.#decoderOf(prompts.length);
    yield* decoder.decode(prompts, options);
  }

  /** Logits [vocab_size] after a prompt of at most block_size ids. */
  readPrompt(ids: readonly number[]): Promise<Float32Array> {
    return this.#oneRow.readPrompt(ids);
  }

  /** The program that makes one token of each row, for dispatch counts and profiles. */
  async step(rows: number): Promise<Program> {
    const decoder = await this.#decoderOf(rows);
    return decoder.next;
  }

  dispose(): void {
    this.#oneRow.dispose();
    this.#severalRows?.dispose();
    this.#severalRows = null;
  }

  async #decoderOf(rows: number): Promise<Decoder> {
    if (rows <= this.#oneRow.rows) return this.#oneRow;
    if (this.#severalRows?.rows === rows) return this.#severalRows;
    this.#severalRows?.dispose();
    this.#severalRows = null;
    this.#severalRows = await this.#makeDecoder(rows);
    return this.#severalRows;
  }
}
