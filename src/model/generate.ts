/**
 * Generation with a KV cache at fixed shapes: a prefill program over block_size rows and a decode program over one, both
 * compiled once. Keys and values of a layer lie in one cache [block_size, 2 n_kv_head head_dim].
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { compileProgram, copyInPlace, onWebGpu, type Program, readback, Store, submit } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import { attention, attentionDecode, cacheWrite, run, takeRows } from '../ops/index.ts';
import { type Forward, head, hiddenStates } from './forward.ts';
import { noGradients } from './gradients.ts';
import { type Choice, sampleToken, type SamplingOptions, uniformAt } from './sampler.ts';
import { Tape } from './tape.ts';

type LogitsProgram = Program<{ logits: Tensor }>;

export class Generator {
  private constructor(
    private readonly model: ResolvedModel, private readonly prompt: Store, private readonly token: Store, private readonly caches: Store,
    private readonly prefill: LogitsProgram, private readonly decode: LogitsProgram,
  ) {}

  /** Compiles both programs. The weights' Store must outlive the generator; its values may change between calls. */
  static async create(model: ResolvedModel, weights: Store, rotary: Store | null): Promise<Generator> {
    const T = model.block_size, kv = 2 * model.n_kv_head * model.head_dim;
    const caches = new Store('KV cache', Array.from({ length: model.n_layer }, (_, i) => ({ name: `layer.${i}`, shape: [T, kv] })));
    const prompt = tokenInputs('prompt', T), token = tokenInputs('token', 1);
    const forward = (inputs: Store, attend: Forward['attend'], block_size: number): Forward =>
      ({ tape: new Tape(noGradients, false), model, weights, inputs, rotary, batch_size: 1, block_size, training: false, attend });
    const shape = { n_head: model.n_head, n_kv_head: model.n_kv_head, head_dim: model.head_dim };
    const remember = (f: Forward, layer: number, qkv: Tensor): Tensor => {
      const name = `layer.${layer}`, cache = caches.get(name);
      const after = run(cacheWrite, { cache, qkv, positions: f.inputs.get('positions') }, { ...shape, B: 1, T_max: T }).cache;
      if (!onWebGpu()) caches.replace(name, after);
      else if (after !== cache) copyInPlace(cache, after);
      return caches.get(name);
    };
    const prefill = await compileProgram('prefill', () => {
      const f = forward(prompt, (g, layer, qkv) => {
        remember(g, layer, qkv);
        return g.tape.apply(attention, { qkv }, { B: 1, T, ...shape, window: model.sliding_window }).y;
      }, T);
      const x = hiddenStates(f), last = f.tape.apply(takeRows, { x, rows: prompt.get('rows') }, {}).y;
      return { logits: head(f, last) };
    });
    const decode = await compileProgram('decode', () => {
      const f = forward(token, (g, layer, qkv) => {
        const cache = remember(g, layer, qkv);
        return g.tape.apply(attentionDecode, { qkv, cache, positions: token.get('positions') }, { B: 1, T_max: T, ...shape, window: model.sliding_window }).y;
      }, 1);
      return { logits: head(f, hiddenStates(f)) };
    });
    return new Generator(model, prompt, token, caches, prefill, decode);
  }

  /**
   * Streams tokens after `prompt_ids` (at least one id). Past the context the latest half of it is read again. The
   * caller stops by leaving the loop.
   */
  async *generate(prompt_ids: readonly number[], sampling: SamplingOptions & { sample_seed: number }, max_new_tokens: number): AsyncGenerator<Choice> {
    const T = this.model.block_size, ids = [...prompt_ids];
    if (ids.length === 0) throw new RangeError('Generation needs at least one token to start from.');
    let filled = 0;
    for (let made = 0; made < max_new_tokens; made++) {
      let logits: Float32Array;
      if (filled === 0 || filled === T) {
        const context = ids.slice(-(ids.length > T || filled === T ? Math.max(1, Math.floor(T / 2)) : T));
        logits = await this.readPrompt(context);
        filled = context.length;
      } else {
        logits = await this.readToken(ids[ids.length - 1] ?? 0, filled++);
      }
      const choice = sampleToken(logits, sampling, uniformAt(sampling.sample_seed, made));
      ids.push(choice.id);
      yield choice;
    }
  }

  /** Logits [vocab_size] after a prompt of at most block_size ids. */
  async readPrompt(ids: readonly number[]): Promise<Float32Array> {
    const T = this.model.block_size, padded = new Int32Array(T);
    padded.set(ids);
    this.prompt.write('ids', padded);
    this.prompt.write('positions', Int32Array.from({ length: T }, (_, i) => i));
    this.prompt.write('rows', Int32Array.of(ids.length - 1));
    return this.logitsOf(this.prefill);
  }

  private async readToken(id: number, position: number): Promise<Float32Array> {
    this.token.write('ids', Int32Array.of(id));
    this.token.write('positions', Int32Array.of(position));
    return this.logitsOf(this.decode);
  }

  private async logitsOf(program: LogitsProgram): Promise<Float32Array> {
    submit([program]);
    const [logits] = await readback([program.outputs.logits]);
    if (!(logits instanceof Float32Array)) throw new Error('Generation gave no logits.');
    return logits;
  }

  get bytes(): number { return this.caches.bytes + this.prefill.ownBytes + this.decode.ownBytes; }

  dispose(): void {
    this.prefill.dispose();
    this.decode.dispose();
    for (const s of [this.prompt, this.token, this.caches]) s.dispose();
  }
}

/** ids and positions of `n` rows; the orders that only a gradient reads are left empty. */
function tokenInputs(label: string, n: number): Store {
  const int = (name: string, size: number) => ({ name, shape: [size], dtype: 'int32' as const });
  return new Store(label, [int('ids', n), int('positions', n), int('ids_sorted', 1), int('ids_starts', 1), int('positions_sorted', 1), int('positions_starts', 1), int('rows', 1)]);
}
