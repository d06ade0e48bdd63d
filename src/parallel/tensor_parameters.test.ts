/** Slices of parameters, of the vocabulary, and what cannot be sliced. */
import { describe, expect, it } from 'vitest';
import { resolveModel } from '../config/index.ts';
import { listParameters, type Parameter, parameterSize, scoreParameter } from '../model/index.ts';
import { type Changes, smallConfig } from './testing_ranks.ts';
import { tensorProblem } from './tensor_model.ts';
import { tensorParallelParameters } from './tensor_parameters.ts';
import { LocalVocabulary } from './tensor_vocabulary.ts';

const MODELS: [string, NonNullable<Changes['model']>][] = [
  ['GPT-2 with biases', { bias: true }],
  ['GPT-2, untied', { bias: false, tie_word_embeddings: false }],
  ['Llama', { layout: 'llama', n_kv_head: 2, qk_norm: true, qkv_bias: true, head_dim: 10 }],
];
const modelOf = (model: Changes['model'], vocab_size = 50) =>
  resolveModel(smallConfig({ model }).model, vocab_size);

/** Distinct values. */
const valuesOf = (parameter: Parameter): Float32Array =>
  Float32Array.from({ length: parameterSize(parameter) }, (_, i) => i + 1);

describe.each(MODELS)('parameters of %s', (_, changes) => {
  const model = modelOf(changes);
  const wholes = [scoreParameter(model), ...listParameters(model)];
  const ranks = [0, 1].map((index) => tensorParallelParameters(wholes, { model, index, tp: 2 }));

  it('are restored by put from the slices that take returned', () => {
    for (const whole of wholes) {
      const values = valuesOf(whole);
      const together = new Float32Array(values.length);
      for (const locals of ranks) {
        const local = locals.find((candidate) => candidate.whole === whole);
        if (!local) continue;
        const taken = local.take(values);
        expect(taken).toHaveLength(parameterSize(local.parameter));
        local.put(together, taken);
      }
      expect(together).toEqual(values);
    }
  });

  it('have half the values of every matrix of a block on each of two ranks', () => {
    for (const locals of ranks) {
      const matrices = locals.filter(({ whole }) => whole.kind === 'matrix');
      expect(matrices).toHaveLength(4 * model.n_layer);
      for (const { parameter, whole } of matrices) {
        expect(2 * parameterSize(parameter)).toBe(parameterSize(whole));
      }
    }
  });

  it('are replicated or have partial gradients only if they are norms, positions or score heads', () => {
    const [first = [], second = []] = ranks;
    for (const { whole, replicated, partial_gradient } of first) {
      const other = second.find((candidate) => candidate.whole === whole);
      const isShared = other?.replicated === true;
      expect(partial_gradient).toBe(/[qk]_norm/.test(whole.name));
      if (!isShared) continue;
      expect(replicated).toBe(true);
      expect(whole.name).toMatch(/norm|ln_|wpe|score/);
    }
  });
});

it('a rank takes its heads of queries, keys and values, and its columns of gate and up', () => {
  const model = modelOf({ layout: 'llama', n_kv_head: 2, n_inner: 8 });
  const columns = (name: string): number[] => {
    const wholes = listParameters(model);
    const locals = tensorParallelParameters(wholes, { model, index: 1, tp: 2 });
    const local = locals.find(({ whole }) => whole.name === name);
    const width = local?.whole.shape[1] ?? 0;
    const row = local?.take(Float32Array.from({ length: 32 * width }, (_, i) => i % width));
    return [...(row?.subarray(0, local?.parameter.shape[1]) ?? [])];
  };
  const range = (start: number, end: number): number[] =>
    Array.from({ length: end - start }, (_, i) => start + i);
  const qkv = [...range(16, 32), ...range(40, 48), ...range(56, 64)];
  expect(columns('model.layers.0.self_attn.qkv_proj.weight')).toEqual(qkv);
  const gateUp = [...range(4, 8), ...range(12, 16)];
  expect(columns('model.layers.0.mlp.gate_up_proj.weight')).toEqual(gateUp);
});

describe('a vocabulary in parts', () => {
  const model = modelOf({}, 5);
  const parts = [0, 1].map((index) => new LocalVocabulary({ model, index, tp: 2 }));
  const batch = {
    ids: Int32Array.of(0, 1, 2, 4),
    targets: Int32Array.of(4, 2, 1, 0),
    weights: new Float32Array(4),
    positions: Int32Array.of(0, 1, 2, 3),
    row_offset: 0,
  };

  it('translates ids and targets to positions after its first token', () => {
    const [first, second] = parts.map((part) => part.prepare(batch));
    expect([...(first?.batch.ids ?? [])]).toEqual([0, 1, -1, -1]);
    expect([...(first?.batch.targets ?? [])]).toEqual([4, 2, 1, 0]);
    expect([...(second?.batch.ids ?? [])]).toEqual([-1, -1, 0, 2]);
    expect([...(second?.batch.targets ?? [])]).toEqual([2, 0, 4, 3]);
    expect([...(second?.ids.starts ?? [])]).toEqual([0, 1, 1, 2]);
    expect([...(second?.ids.sorted ?? [])].slice(0, 2)).toEqual([2, 3]);
  });

  it('refuses tokens outside the vocabulary', () => {
    const outside = { ...batch, targets: Int32Array.of(0, 0, 0, 5) };
    expect(() => parts[0]?.prepare(outside)).toThrow('outside the vocabulary of 5');
  });

  it('merges the maximum, the sum of exponentials and the target logit on all ranks alike', () => {
    const rows = (
      states: readonly [number, number, number, number][],
    ): Float32Array<ArrayBuffer> => {
      const values = Float32Array.from(states.flat());
      states.forEach(([, , token], row) => {
        new Int32Array(values.buffer)[4 * row + 2] = token;
      });
      return values;
    };
    const states = [
      rows([
        [2, 1.5, 1, 0],
        [3, 1, 0, 3],
      ]),
      rows([
        [4, 2, 2, 1],
        [3, 1.25, 1, 0],
      ]),
    ];
    const [first, second] = parts.map((part) => part.mergeRows(states));
    const expected = [4, 2 + 1.5 * Math.exp(-2), 1, 3, 2.25, 3];
    for (const merged of [first, second]) {
      const floats = [...(merged ?? [])].filter((_, i) => i % 4 !== 2);
      floats.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 6));
    }
    const tokens = (merged: Float32Array<ArrayBuffer> | undefined): number[] =>
      [...new Int32Array(merged?.buffer ?? new ArrayBuffer(0))].filter((_, i) => i % 4 === 2);
    // Tokens 4 and 0 of the vocabulary: of equal logits, the first one counts.
    expect(tokens(first)).toEqual([4, 0]);
    expect(tokens(second)).toEqual([2, 3]);
  });
});

describe('a model that ranks cannot split', () => {
  const llama = modelOf({ layout: 'llama', n_head: 6, n_kv_head: 2, n_inner: 24, n_embd: 36 });

  it('is refused with the nearest values of tp that can split it', () => {
    expect(tensorProblem(llama, 2, 'adamw')).toBeNull();
    expect(tensorProblem(llama, 4, 'adamw')).toBe(
      'tp 4 does not divide the 6 attention heads of the model: choose 2.',
    );
    expect(tensorProblem(llama, 6, 'adamw')).toBe(
      'tp 6 does not divide the 2 key and value heads of the model: choose 2.',
    );
    expect(tensorProblem(modelOf({ n_head: 4 }, 3), 4, 'adamw')).toContain('3 tokens');
  });

  it('is also refused for Muon, and for unknown parameters', () => {
    expect(tensorProblem(llama, 2, 'muon')).toContain('choose another optimizer');
    expect(tensorProblem(llama, 1, 'muon')).toBeNull();
    const adapter = { ...scoreParameter(llama), name: 'lora_A.weight', kind: 'matrix' as const };
    const part = { model: llama, index: 0, tp: 2 };
    expect(() => tensorParallelParameters([adapter], part)).toThrow('choose tp 1');
  });
});
