/**
 * Generation on backends without kernels: the logits of each token are read back and sampled in
 * JavaScript, one row after the other.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, type Program, readback, submit } from '../backend/index.ts';
import { sampleToken, uniformAt } from '../ops/sample_token/sampler.ts';
import { CachedForward, type GenerationModel } from './cached_forward.ts';
import { contextOf, type Decoder, type DecodeOptions, type RowChoice } from './decoder.ts';

export type LogitsProgram = Program<{ logits: Tensor }>;

export class HostDecoder implements Decoder {
  readonly rows = Infinity;
  readonly #cached: CachedForward;
  readonly #prefill: LogitsProgram;

  private constructor(
    cached: CachedForward,
    prefill: LogitsProgram,
    readonly next: LogitsProgram,
  ) {
    this.#cached = cached;
    this.#prefill = prefill;
  }

  static async create(source: GenerationModel): Promise<HostDecoder> {
    const cached = new CachedForward({ ...source, rows: 1 });
    const prefill = await compileProgram('prefill', () => ({ logits: cached.prefill() }));
    const next = await compileProgram('decode', () => ({ logits: cached.decode() }));
    return new HostDecoder(cached, prefill, next);
  }

  get bytes(): number {
    return this.#cached.bytes + this.#prefill.ownBytes + this.next.ownBytes;
  }

  async *decode(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    for (const [row, prompt] of prompts.entries()) yield* this.#decodeRow(row, prompt, options);
  }

  readPrompt(ids: readonly number[]): Promise<Float32Array> {
    this.#cached.writePrompts(new Map([[0, ids]]));
    return readLogits(this.#prefill);
  }

  dispose(): void {
    this.#prefill.dispose();
    this.next.dispose();
    this.#cached.dispose();
  }

  async *#decodeRow(
    row: number,
    prompt: readonly number[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    const { block_size } = this.#cached.model;
    const ids = [...prompt];
    let filled = 0;
    for (let made = 0; made < options.max_new_tokens; made++) {
      let logits: Float32Array;
      if (filled === 0 || filled === block_size) {
        const context = contextOf(ids, block_size, filled === block_size);
        logits = await this.readPrompt(context);
        filled = context.length;
      } else {
        logits = await this.#readToken(ids.at(-1) ?? 0, filled++);
      }
      const sampled = logits.subarray(0, options.vocab_limit);
      const choice = sampleToken(sampled, options, uniformAt(options.sample_seed, made));
      ids.push(choice.id);
      yield { row, choice };
      if (choice.id === options.stop_id) return;
    }
  }

  #readToken(id: number, position: number): Promise<Float32Array> {
    this.#cached.token.write('ids', Int32Array.of(id));
    this.#cached.token.write('positions', Int32Array.of(position));
    return readLogits(this.next);
  }
}

/** Runs the program and reads the logits of its first row [vocab_size]. */
export async function readLogits(program: LogitsProgram): Promise<Float32Array> {
  submit([program]);
  const { logits } = program.outputs;
  const [values] = await readback([logits]);
  if (!(values instanceof Float32Array)) throw new Error('The program returned no logits.');
  return values.subarray(0, logits.shape[1]);
}
