/**
 * Generation where there are no kernels: each token's logits come back and are sampled in
 * JavaScript, one row after the other.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, type Program, readback, type Store, submit } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { sampleToken, uniformAt } from '../ops/sample_token/sampler.ts';
import { CachedForward } from './cached_forward.ts';
import { contextOf, type Decoder, type DecodeOptions, type RowChoice } from './decoder.ts';
import type { ParameterSource } from './weights.ts';

type LogitsProgram = Program<{ logits: Tensor }>;

export class HostDecoder implements Decoder {
  readonly rows = Infinity;
  private constructor(
    private readonly cached: CachedForward,
    private readonly prefill: LogitsProgram,
    readonly next: LogitsProgram,
  ) {}

  static async create(
    model: ResolvedModel,
    weights: ParameterSource,
    rotary: Store | null,
  ): Promise<HostDecoder> {
    const cached = new CachedForward(model, weights, rotary, 1);
    return new HostDecoder(
      cached,
      await compileProgram('prefill', () => ({ logits: cached.prefill() })),
      await compileProgram('decode', () => ({ logits: cached.decode() })),
    );
  }

  async *decode(
    prompts: readonly (readonly number[])[],
    options: DecodeOptions,
  ): AsyncGenerator<RowChoice> {
    const T = this.cached.model.block_size;
    for (const [row, prompt] of prompts.entries()) {
      const ids = [...prompt];
      let filled = 0;
      for (let made = 0; made < options.max_new_tokens; made++) {
        let logits: Float32Array;
        if (filled === 0 || filled === T) {
          const context = contextOf(ids, T, filled === T);
          logits = await this.readPrompt(context);
          filled = context.length;
        } else {
          logits = await this.readToken(ids[ids.length - 1] ?? 0, filled++);
        }
        const choice = sampleToken(logits, options, uniformAt(options.sample_seed, made));
        ids.push(choice.id);
        yield { row, choice };
        if (choice.id === options.stop_id) break;
      }
    }
  }

  readPrompt(ids: readonly number[]): Promise<Float32Array> {
    this.cached.writePrompts(new Map([[0, ids]]));
    return logitsOf(this.prefill);
  }

  private readToken(id: number, position: number): Promise<Float32Array> {
    this.cached.token.write('ids', Int32Array.of(id));
    this.cached.token.write('positions', Int32Array.of(position));
    return logitsOf(this.next);
  }

  get bytes(): number {
    return this.cached.bytes + this.prefill.ownBytes + this.next.ownBytes;
  }
  dispose(): void {
    for (const d of [this.prefill, this.next, this.cached]) d.dispose();
  }
}

/** Runs the program: the logits of its first row. */
export async function logitsOf(program: LogitsProgram): Promise<Float32Array> {
  submit([program]);
  const { logits } = program.outputs;
  const [values] = await readback([logits]);
  if (!(values instanceof Float32Array)) throw new Error('Generation gave no logits.');
  return values.subarray(0, logits.shape[1]);
}
