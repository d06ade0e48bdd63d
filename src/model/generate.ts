/**
 * Generation with a KV cache. On WebGPU the programs sample and feed themselves (`gpu_decoder.ts`);
 * elsewhere logits come back and are sampled in JavaScript (`host_decoder.ts`). Both choose the
 * same tokens for a seed.
 */
import type { Program, Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { kernelsInUse } from '../ops/index.ts';
import type { Choice } from '../ops/sample_token/sampler.ts';
import type { Decoder, DecodeOptions, RowChoice } from './decoder.ts';
import { GpuDecoder } from './gpu_decoder.ts';
import { HostDecoder } from './host_decoder.ts';
import type { ParameterSource } from './weights.ts';

export class Generator {
  /** For several rows at once, kept for the next call with as many. */
  private batch: Decoder | null = null;
  private constructor(
    private readonly make: (rows: number) => Promise<Decoder>,
    private readonly one: Decoder,
  ) {}

  /**
   * Compiles the programs of one row. The weights must outlive the generator; its values may
   * change between calls.
   */
  static async create(
    model: ResolvedModel,
    weights: ParameterSource,
    rotary: Store | null,
  ): Promise<Generator> {
    const make = kernelsInUse()
      ? (rows: number) => GpuDecoder.create(model, weights, rotary, rows)
      : () => HostDecoder.create(model, weights, rotary);
    return new Generator(make, await make(1));
  }

  /** Streams tokens after `prompt_ids` (at least one id): `generateRows` with one row. */
  async *generate(prompt_ids: readonly number[], options: DecodeOptions): AsyncGenerator<Choice> {
    for await (const { choice } of this.generateRows([prompt_ids], options)) yield choice;
  }

  /**
   * Streams tokens after each of the prompts (at least one id each), of the rows in turn or as they
   * come. A row ends after its stop token, which is given too. Past the context the latest half of
   * it is read again. The caller stops by leaving the loop; tokens that are on their way then are
   * lost. One call at a time.
   */
  async *generateRows(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    if (prompts.some((ids) => ids.length === 0))
      throw new RangeError('Generation needs at least one token to start from.');
    if (prompts.length === 0) return;
    yield* (await this.decoderOf(prompts.length)).decode(prompts, options);
  }

  /** Logits [vocab_size] after a prompt of at most block_size ids. */
  readPrompt(ids: readonly number[]): Promise<Float32Array> {
    return this.one.readPrompt(ids);
  }

  /** What makes one token of each of so many rows: for counts and profiles. */
  async step(rows: number): Promise<Program> {
    return (await this.decoderOf(rows)).next;
  }

  get bytes(): number {
    return this.one.bytes + (this.batch?.bytes ?? 0);
  }

  dispose(): void {
    this.one.dispose();
    this.batch?.dispose();
    this.batch = null;
  }

  private async decoderOf(rows: number): Promise<Decoder> {
    if (rows <= this.one.rows) return this.one;
    if (this.batch?.rows === rows) return this.batch;
    this.batch?.dispose();
    this.batch = null;
    return (this.batch = await this.make(rows));
  }
}
