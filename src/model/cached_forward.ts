/**
 * The model over a KV cache at fixed shapes, for B sequences at once: prefill over block_size rows
 * a sequence, decode over one. Keys and values of a layer lie in one cache [B block_size, 2
 * n_kv_head head_dim].
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { copyInPlace, onWebGpu, type Spec, Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { attentionDecode, cacheWrite, takeRows } from '../ops/generation.ts';
import { attention, run } from '../ops/index.ts';
import { type Forward, head, hiddenStates } from './forward.ts';
import { noGradients } from './gradients.ts';
import { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

export const int = (name: string, ...shape: number[]): Spec => ({ name, shape, dtype: 'int32' });
/** The orders of ids and positions that only a gradient reads: left empty. */
const unread = ['ids_sorted', 'ids_starts', 'positions_sorted', 'positions_starts'].map((name) =>
  int(name, 1),
);

export class CachedForward {
  /**
   * ids, positions and cache_positions [B block_size], rows [B] (where each prompt ends, in all of
   * them).
   */
  readonly prompt: Store;
  /** ids and positions [B] of the tokens to go on from. */
  readonly token: Store;
  private readonly caches: Store;

  /**
   * `state`: further tensors that belong with those of `token`. The weights must outlive
   * this; its values may change.
   */
  constructor(
    readonly model: ResolvedModel,
    private readonly weights: ParameterSource,
    private readonly rotary: Store | null,
    readonly B: number,
    state: readonly Spec[] = [],
  ) {
    const T = model.block_size;
    const kv = 2 * model.n_kv_head * model.head_dim;
    this.prompt = new Store('prompt', [
      int('ids', B * T),
      int('positions', B * T),
      int('cache_positions', B * T),
      int('rows', B),
      ...unread,
    ]);
    this.token = new Store('token', [int('ids', B), int('positions', B), ...unread, ...state]);
    this.caches = new Store(
      'KV cache',
      Array.from({ length: model.n_layer }, (_, i) => ({ name: `layer.${i}`, shape: [B * T, kv] })),
    );
    this.prompt.write(
      'positions',
      Int32Array.from({ length: B * T }, (_, i) => i % T),
    );
  }

  /**
   * Reads the prompts: logits [B, vocab_size] after each. Rows whose cache position is block_size
   * leave the cache as it is.
   */
  prefill(): Tensor {
    const { B, model, prompt } = this;
    const T = model.block_size;
    const f = this.forward(prompt, T, (layer, qkv, tape) => {
      this.keep(
        layer,
        run(
          cacheWrite,
          { cache: this.cache(layer), qkv, positions: prompt.get('cache_positions') },
          { ...this.heads, B, T_max: T },
        ).cache,
      );
      return tape.apply(attention, { qkv }, { B, T, ...this.heads, window: model.sliding_window })
        .y;
    });
    const x = hiddenStates(f);
    return head(f, f.tape.apply(takeRows, { x, rows: prompt.get('rows') }, { N: B * T }).y);
  }

  /** Reads the token of each sequence: logits [B, vocab_size] after it. */
  decode(): Tensor {
    const { B, model, token } = this;
    const T_max = model.block_size;
    const positions = token.get('positions');
    const f = this.forward(token, 1, (layer, qkv) => {
      // Not by the tape, which would free the cache with the activations.
      const { y, cache } = run(
        attentionDecode,
        { qkv, cache: this.cache(layer), positions },
        { B, T_max, ...this.heads, window: model.sliding_window },
      );
      this.keep(layer, cache);
      return y;
    });
    return head(f, hiddenStates(f));
  }

  /**
   * Writes the prompts of some sequences, at most block_size ids each; the caches of the others are
   * left as they are.
   */
  writePrompts(prompts: ReadonlyMap<number, readonly number[]>, remember = true): void {
    const { B, prompt } = this;
    const T = this.model.block_size;
    const ids = new Int32Array(B * T);
    const places = new Int32Array(B * T).fill(T);
    const rows = new Int32Array(B);
    for (const [b, row] of prompts) {
      ids.set(row, b * T);
      rows[b] = b * T + row.length - 1;
      if (remember) for (let i = 0; i < T; i++) places[b * T + i] = i;
    }
    prompt.write('ids', ids);
    prompt.write('cache_positions', places);
    prompt.write('rows', rows);
  }

  get bytes(): number {
    return this.caches.bytes;
  }
  dispose(): void {
    for (const s of [this.prompt, this.token, this.caches]) s.dispose();
  }

  private get heads() {
    const { n_head, n_kv_head, head_dim } = this.model;
    return { n_head, n_kv_head, head_dim };
  }

  private forward(
    inputs: Store,
    block_size: number,
    attend: (layer: number, qkv: Tensor, tape: Tape) => Tensor,
  ): Forward {
    const { model, weights, rotary, B } = this;
    return {
      tape: new Tape(noGradients, false),
      model,
      weights,
      inputs,
      rotary,
      batch_size: B,
      block_size,
      training: false,
      attend: (f, layer, qkv) => attend(layer, qkv, f.tape),
    };
  }

  private cache(layer: number): Tensor {
    return this.caches.get(`layer.${layer}`);
  }

  /** Takes the cache as an operation has left it: kernels write in place. */
  private keep(layer: number, after: Tensor): void {
    const cache = this.cache(layer);
    if (!onWebGpu()) this.caches.replace(`layer.${layer}`, after);
    else if (after !== cache) copyInPlace(cache, after);
  }
}
