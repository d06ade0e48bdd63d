/**
 * The model over a KV cache at fixed shapes, for B sequences at once: prefill reads `prompt_length`
 * positions of each sequence, decode reads one. The keys and values of a layer are one cache
 * [B context, 2 n_kv_head head_dim]. Both lengths are block_size unless the caller needs less.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { copyInPlace, hasOwnKernels, type Spec, Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { attentionDecode, cacheWrite, takeRows } from '../ops/generation.ts';
import { attention, run } from '../ops/index.ts';
import { headShape } from './attention.ts';
import type { Attend, Forward } from './forward.ts';
import { noGradients } from './gradients.ts';
import { head } from './heads.ts';
import { hiddenStates } from './hidden_states.ts';
import { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

/** What a model generates from. The weights must outlive their user; their values may change. */
export interface GenerationModel {
  model: ResolvedModel;
  weights: ParameterSource;
  rotary: Store | null;
}

export interface CachedForwardOptions extends GenerationModel {
  /** Sequences at once. */
  rows: number;
  /** Further tensors in the store of the current tokens. */
  state?: readonly Spec[];
  /** Longest prompt; defaults to block_size. */
  prompt_length?: number;
  /** Positions of a sequence; defaults to block_size, and is at most that. */
  context?: number;
}

export function int32Spec(name: string, ...shape: number[]): Spec {
  return { name, shape, dtype: 'int32' };
}

/** Sorted orders of ids and positions, which only gradients read. */
const UNUSED_ORDERS = ['ids_sorted', 'ids_starts', 'positions_sorted', 'positions_starts'].map(
  (name) => int32Spec(name, 1),
);

export class CachedForward {
  readonly model: ResolvedModel;
  /** Sequences at once. */
  readonly rows: number;
  readonly prompt_length: number;
  readonly context: number;
  /**
   * ids, positions and cache_positions [B prompt_length]; rows [B], the index of each prompt's last
   * token.
   */
  readonly prompt: Store;
  /** ids and positions [B] of the tokens that decode reads, and the caller's state. */
  readonly token: Store;
  readonly #source: GenerationModel;
  readonly #caches: Store;

  constructor(options: CachedForwardOptions) {
    const { rows, state = [], prompt_length, context, ...source } = options;
    const { model } = source;
    this.prompt_length = prompt_length ?? model.block_size;
    this.context = context ?? model.block_size;
    const positions = rows * this.prompt_length;
    this.model = model;
    this.rows = rows;
    this.#source = source;
    const created: Store[] = [];
    const create = (label: string, specs: readonly Spec[]): Store => {
      try {
        const store = new Store(label, specs);
        created.push(store);
        return store;
      } catch (error) {
        for (const store of created) store.dispose();
        throw error;
      }
    };
    // First, because it is by far the largest and may not fit.
    const shape = [rows * this.context, 2 * model.n_kv_head * model.head_dim];
    this.#caches = create(
      'KV cache',
      Array.from({ length: model.n_layer }, (_, layer) => ({ name: cacheName(layer), shape })),
    );
    this.prompt = create('prompt', [
      int32Spec('ids', positions),
      int32Spec('positions', positions),
      int32Spec('cache_positions', positions),
      int32Spec('rows', rows),
      ...UNUSED_ORDERS,
    ]);
    const current = [int32Spec('ids', rows), int32Spec('positions', rows)];
    this.token = create('token', [...current, ...UNUSED_ORDERS, ...state]);
    const indices = Int32Array.from({ length: positions }, (_, i) => i % this.prompt_length);
    this.prompt.write('positions', indices);
  }

  get bytes(): number {
    return this.#caches.bytes;
  }

  /** Reads the prompts into the caches; returns the logits [B, vocab_size] after each. */
  prefill(): Tensor {
    const { model, prompt, rows, prompt_length: T } = this;
    const attrs = { B: rows, T, ...headShape(model), window: model.sliding_window };
    const forward = this.#forward(prompt, T, ({ tape }, layer, qkv) => {
      this.#writePromptCache(layer, qkv);
      return tape.apply(attention, { qkv }, attrs).y;
    });
    const x = hiddenStates(forward);
    const last = { x, rows: prompt.get('rows') };
    return head(forward, forward.tape.apply(takeRows, last, { N: rows * T }).y);
  }

  /** Reads one token of each sequence; returns the logits [B, vocab_size] after it. */
  decode(): Tensor {
    const { model, token, rows } = this;
    const positions = token.get('positions');
    const sizes = { B: rows, T_max: this.context, ...headShape(model) };
    const forward = this.#forward(token, 1, (_, layer, qkv) => {
      // Not through the tape, which would free the cache with the activations.
      const inputs = { qkv, cache: this.#cache(layer), positions };
      const { y, cache } = run(attentionDecode, inputs, { ...sizes, window: model.sliding_window });
      this.#keepCache(layer, cache);
      return y;
    });
    return head(forward, hiddenStates(forward));
  }

  /**
   * Uploads prompts by row, at most `prompt_length` ids each. The next prefill leaves the caches of all
   * other rows unchanged, and with `cached` false those of these rows too.
   */
  writePrompts(prompts: ReadonlyMap<number, readonly number[]>, cached = true): void {
    const { rows, prompt, prompt_length: T } = this;
    const ids = new Int32Array(rows * T);
    // A position outside the cache is not written.
    const cachePositions = new Int32Array(rows * T).fill(this.context);
    const lastTokens = new Int32Array(rows);
    for (const [row, tokens] of prompts) {
      ids.set(tokens, row * T);
      lastTokens[row] = row * T + tokens.length - 1;
      if (!cached) continue;
      for (let i = 0; i < T; i++) cachePositions[row * T + i] = i;
    }
    prompt.write('ids', ids);
    prompt.write('cache_positions', cachePositions);
    prompt.write('rows', lastTokens);
  }

  dispose(): void {
    this.prompt.dispose();
    this.token.dispose();
    this.#caches.dispose();
  }

  #forward(inputs: Store, block_size: number, attend: Attend): Forward {
    return {
      ...this.#source,
      tape: new Tape(noGradients, false),
      inputs,
      batch_size: this.rows,
      block_size,
      training: false,
      attend,
    };
  }

  #writePromptCache(layer: number, qkv: Tensor): void {
    const positions = this.prompt.get('cache_positions');
    const inputs = { cache: this.#cache(layer), qkv, positions };
    const sizes = { B: this.rows, T_max: this.context };
    const { cache } = run(cacheWrite, inputs, { ...headShape(this.model), ...sizes });
    this.#keepCache(layer, cache);
  }

  #cache(layer: number): Tensor {
    return this.#caches.get(cacheName(layer));
  }

  /** Stores the cache that an operation returned. Kernels have already written it in place. */
  #keepCache(layer: number, updated: Tensor): void {
    const cache = this.#cache(layer);
    if (!hasOwnKernels()) this.#caches.replace(cacheName(layer), updated);
    else if (updated !== cache) copyInPlace(cache, updated);
  }
}

function cacheName(layer: number): string {
  return `layer.${layer}`;
}
