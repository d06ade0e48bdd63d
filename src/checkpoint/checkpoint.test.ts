import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import { describeExport, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { CheckpointState } from './checkpoint_state.ts';
import { DEFAULT_LINEAGE } from './lineage.ts';
import { encodeJson, parseRecord } from './json.ts';
import {
  readSafetensors,
  readTensor,
  writeSafetensors,
  type TensorSource,
  type TensorView,
} from './safetensors.ts';
import {
  codeOf,
  LAYOUTS,
  rawSafetensors,
  tinyState,
  tinyTokenizer,
  VOCAB,
} from './testing_states.ts';

const tensorsOf = (files: ReadonlyMap<string, Uint8Array>) =>
  readSafetensors(files.get('model.safetensors') ?? new Uint8Array()).tensors;
const again = (view: TensorView, name = view.name): TensorSource => ({
  name,
  shape: view.shape,
  write: (out) => out.set(readTensor(view)),
});
const valueOf = (tensors: ReadonlyMap<string, TensorView>, name: string) => {
  const view = tensors.get(name);
  return view ? readTensor(view) : new Float32Array();
};
const json = (files: ReadonlyMap<string, Uint8Array>, path: string) =>
  parseRecord(files.get(path) ?? new Uint8Array(), path);
/** A folder as somebody else would leave it: without what Terrarium adds. */
const foreign = (state: CheckpointState) =>
  new Map(
    [...writeCheckpoint(state)].filter(([path]) => !/training_state|optimizer|metrics/.test(path)),
  );

describe('round trip', () => {
  it.each(Object.entries(LAYOUTS))('%s: every value comes back', (_name, change) => {
    const state = tinyState(change);
    const back = readCheckpoint(writeCheckpoint(state));
    const { tokenizer, seeds, ...rest } = back;
    expect(rest).toEqual({
      ...state,
      tokenizer: undefined,
      bos_token_id: 10,
      lr_multiplier: 1,
      objective_tensors: new Map(),
      lineage: DEFAULT_LINEAGE,
      notes: [],
      foreign: false,
    });
    expect(JSON.parse(new TextDecoder().decode(tokenizer))).toEqual(tinyTokenizer);
    expect(seeds).toEqual({ seed: 1337, sample_seed: 42 });
  });
  it('keeps the loss scale of mixed precision beside the step, and writes nothing of it elsewhere', () => {
    const loss_scale = { scale: 2 ** 13, clean_steps: 71, skipped_updates: 3 };
    const plain = writeCheckpoint(tinyState({}));
    const files = writeCheckpoint({ ...tinyState({}), loss_scale });
    expect(readCheckpoint(files).loss_scale).toEqual(loss_scale);
    expect(writeCheckpoint(readCheckpoint(files))).toEqual(files);
    expect(
      [...files]
        .filter(([path, bytes]) => Buffer.compare(bytes, plain.get(path) ?? new Uint8Array()) !== 0)
        .map(([path]) => path),
    ).toEqual(['training_state.json']);
    // One without it, as all were before there was one.
    expect(json(plain, 'training_state.json')).not.toHaveProperty('loss_scale');
    expect(readCheckpoint(plain).loss_scale).toBeUndefined();
  });
  it('writes the same bytes when what was read is written again', () => {
    const files = writeCheckpoint(tinyState(LAYOUTS.qwen3 ?? {}));
    expect(writeCheckpoint(readCheckpoint(files))).toEqual(files);
  });
  it('keeps a tokenizer.json as it was brought, byte by byte', () => {
    const bytes = new TextEncoder().encode(
      JSON.stringify(tinyTokenizer).replace('"a":0', '"7":6,"__proto__" : 0').replace('"g":6,', ''),
    );
    const state = tinyState({});
    expect(readCheckpoint(writeCheckpoint({ ...state, tokenizer: bytes })).tokenizer).toEqual(
      bytes,
    );
  });
  it('refuses a plain export of what transformers does not know, and explains', () => {
    const state = tinyState({ layout: 'gpt2', qk_norm: true });
    expect(codeOf(() => writeCheckpoint(state, { plain: true }))).toBe('no_equivalent');
    expect(json(writeCheckpoint(state), 'config.json').model_type).toBe('terrarium');
    expect(describeExport(state.model)).toMatchObject({
      plain: false,
      notes: [expect.stringContaining('QK-norm')],
    });
  });
});

describe('tensors of transformers', () => {
  it('cuts and transposes what is packed', () => {
    const state = tinyState({ layout: 'llama', activation_function: 'silu', n_kv_head: 2 });
    const tensors = tensorsOf(writeCheckpoint(state));
    const packed =
      state.parameters.get('model.layers.1.self_attn.qkv_proj.weight') ?? new Float32Array();
    const k = tensors.get('model.layers.1.self_attn.k_proj.weight');
    expect(k?.shape).toEqual([8, 16]);
    const values = valueOf(tensors, 'model.layers.1.self_attn.k_proj.weight');
    // Output 3 of k from input 5: row 3 there; row 5, column 16 (behind q) + 3 of 32 here.
    expect(values[3 * 16 + 5]).toBe(packed[5 * 32 + 16 + 3]);
    expect(
      [...tensors.keys()].some((name) => name.includes('qkv') || name.includes('gate_up')),
    ).toBe(false);
  });
  it('leaves GPT-2 weights as Conv1D has them, and the tied head out', () => {
    const state = tinyState({ layout: 'gpt2' });
    const tensors = tensorsOf(writeCheckpoint(state));
    expect(tensors.get('transformer.h.0.attn.c_attn.weight')?.shape).toEqual([16, 48]);
    expect(valueOf(tensors, 'transformer.h.0.attn.c_attn.weight')).toEqual(
      state.parameters.get('transformer.h.0.attn.c_attn.weight'),
    );
    expect(tensors.has('lm_head.weight')).toBe(false);
    expect(
      tensorsOf(writeCheckpoint(tinyState({ layout: 'gpt2', tie_word_embeddings: false }))).get(
        'lm_head.weight',
      )?.shape,
    ).toEqual([VOCAB, 16]);
  });
  it('writes zeros where our GPT-2 has no biases, and reads them back as none', () => {
    const state = tinyState({ layout: 'gpt2', bias: false });
    const files = writeCheckpoint(state);
    const tensors = tensorsOf(files);
    const biases = [...tensors.keys()].filter((name) => name.endsWith('.bias'));
    expect(biases).toHaveLength(2 * 6 + 1);
    expect(biases.every((name) => valueOf(tensors, name).every((x) => x === 0))).toBe(true);
    files.set(
      'model.safetensors',
      writeSafetensors(
        [...tensors.values()].map((t) =>
          t.name === 'transformer.ln_f.bias'
            ? { ...again(t), write: (out) => out.fill(1) }
            : again(t),
        ),
      ),
    );
    expect(codeOf(() => readCheckpoint(files))).toBe('config_mismatch');
  });
});

describe('folders made elsewhere', () => {
  it('start at step 0 with a configuration from config.json', () => {
    const state = tinyState(LAYOUTS.mistral ?? {});
    const back = readCheckpoint(foreign(state));
    expect(back).toMatchObject({
      step: 0,
      tokens: 0,
      foreign: true,
      model: { sliding_window: 5, n_kv_head: 1 },
      config: { model: { n_embd: 16, n_inner: 24 }, tokenizer: { kind: 'imported' } },
    });
    expect(back.optimizer.size).toBe(0);
    expect(back.parameters).toEqual(state.parameters);
    expect(readCheckpoint(writeCheckpoint(back)).parameters).toEqual(state.parameters);
  });
  it('may lack the prefix, hold masks, and lie in a folder', () => {
    const state = tinyState({ layout: 'gpt2' });
    const files = foreign(state);
    const tensors = [...tensorsOf(files).values()];
    const mask: TensorSource = {
      name: 'h.0.attn.bias',
      shape: [1, 1, 8, 8],
      write: (out) => out.fill(1),
    };
    files.set(
      'model.safetensors',
      writeSafetensors([
        mask,
        { ...mask, name: 'h.0.attn.masked_bias', shape: [] },
        ...tensors.map((t) => again(t, t.name.replace('transformer.', ''))),
      ]),
    );
    expect(
      readCheckpoint(new Map([...files].map(([path, bytes]) => [`my model/${path}`, bytes])))
        .parameters,
    ).toEqual(state.parameters);
  });
  it('may be sharded', () => {
    const state = tinyState({ layout: 'llama', activation_function: 'silu' });
    const files = foreign(state);
    const tensors = [...tensorsOf(files).values()];
    const half = tensors.length >> 1;
    files.delete('model.safetensors');
    const shard = (i: number) => `model-0000${i + 1}-of-00002.safetensors`;
    files.set(shard(0), writeSafetensors(tensors.slice(0, half).map((t) => again(t))));
    files.set(shard(1), writeSafetensors(tensors.slice(half).map((t) => again(t))));
    const weight_map = Object.fromEntries(tensors.map((t, i) => [t.name, shard(i < half ? 0 : 1)]));
    files.set('model.safetensors.index.json', encodeJson({ metadata: {}, weight_map }));
    expect(readCheckpoint(files).parameters).toEqual(state.parameters);
    files.set(
      'model.safetensors.index.json',
      encodeJson({ weight_map: { ...weight_map, 'model.norm.weight': shard(0) } }),
    );
    expect(codeOf(() => readCheckpoint(files))).toBe('missing_tensor');
    files.delete(shard(1));
    expect(codeOf(() => readCheckpoint(files))).toBe('missing_file');
  });
  it.each(['F16', 'BF16'])('may be %s', (dtype) => {
    const files = foreign(tinyState({ layout: 'gpt2', n_layer: 1 }));
    const header: Record<string, object> = {};
    const bits: number[] = [];
    for (const [name, { shape }] of tensorsOf(files)) {
      const start = 2 * bits.length;
      const n = shape.reduce((a, b) => a * b, 1);
      for (let i = 0; i < n; i++) bits.push(dtype === 'F16' ? 0x3800 : 0x3f00);
      header[name] = { dtype, shape, data_offsets: [start, 2 * bits.length] };
    }
    files.set(
      'model.safetensors',
      rawSafetensors(JSON.stringify(header), new Uint8Array(Uint16Array.from(bits).buffer)),
    );
    const values = [...readCheckpoint(files).parameters.values()];
    expect(values.length).toBeGreaterThan(10);
    expect(values.every((v) => v.every((x) => x === 0.5))).toBe(true);
  });
  it('may store a tied head twice, if the two are equal', () => {
    const files = foreign(tinyState({ layout: 'gpt2' }));
    const tensors = [...tensorsOf(files).values()];
    const wte = tensors.find((t) => t.name.endsWith('wte.weight'));
    if (!wte) return expect.unreachable();
    const withHead = (write: TensorSource['write']) =>
      files.set(
        'model.safetensors',
        writeSafetensors([
          ...tensors.map((t) => again(t)),
          { name: 'lm_head.weight', shape: wte.shape, write },
        ]),
      );
    withHead((out) => out.set(readTensor(wte)));
    expect(readCheckpoint(files).parameters.has('lm_head.weight')).toBe(false);
    withHead((out) => out.fill(1));
    expect(codeOf(() => readCheckpoint(files))).toBe('config_mismatch');
  });
});

describe('folders that do not hold together', () => {
  const state = tinyState({ layout: 'gpt2' });
  const without = (path: string) => {
    const files = writeCheckpoint(state);
    files.delete(path);
    return files;
  };
  const changed = (path: string, change: object) => {
    const files = writeCheckpoint(state);
    return files.set(path, encodeJson({ ...json(files, path), ...change }));
  };
  const reweighed = (change: (t: TensorSource[]) => TensorSource[]) => {
    const files = writeCheckpoint(state);
    return files.set(
      'model.safetensors',
      writeSafetensors(change([...tensorsOf(files).values()].map((t) => again(t)))),
    );
  };
  const vector = (name: string): TensorSource => ({ name, shape: [2], write: () => undefined });
  it.each<[string, string, () => Map<string, Uint8Array>]>([
    ['no config', 'missing_file', () => without('config.json')],
    ['no weights', 'missing_file', () => without('model.safetensors')],
    ['no tokenizer', 'missing_file', () => without('tokenizer.json')],
    [
      'pickled weights',
      'pickle',
      () => without('model.safetensors').set('pytorch_model.bin', Uint8Array.of(0x80, 2)),
    ],
    [
      'a pickle alone',
      'pickle',
      () => new Map([['model.pt', new TextEncoder().encode('PK\u0003\u0004xx/data.pkl')]]),
    ],
    [
      'a pickle without its name',
      'pickle',
      () => new Map([['model', Uint8Array.of(0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0)]]),
    ],
    ['a missing tensor', 'missing_tensor', () => reweighed((t) => t.slice(1))],
    [
      'a tensor too many',
      'unexpected_tensor',
      () => reweighed((t) => [...t, vector('transformer.h.0.attn.extra.bias')]),
    ],
    [
      'a tensor with and without prefix',
      'duplicate_name',
      () => reweighed((t) => [...t, vector('ln_f.bias')]),
    ],
    [
      'another width',
      'shape_mismatch',
      () =>
        without('training_state.json').set(
          'config.json',
          encodeJson({ ...json(writeCheckpoint(state), 'config.json'), n_inner: 48 }),
        ),
    ],
    ['two files that disagree', 'config_mismatch', () => changed('config.json', { n_inner: 48 })],
    [
      'a tokenizer that is too large',
      'vocab_mismatch',
      () => changed('tokenizer.json', { added_tokens: [{ id: 11, content: 'x' }] }),
    ],
    [
      'a tokenizer without a vocabulary',
      'bad_tokenizer',
      () => changed('tokenizer.json', { model: {} }),
    ],
    [
      'a tokenizer with broken ids',
      'bad_tokenizer',
      () => changed('tokenizer.json', { model: { type: 'BPE', vocab: { a: 1.5 } } }),
    ],
    [
      'another state version',
      'unknown_version',
      () => changed('training_state.json', { version: 99 }),
    ],
    [
      'another configuration version',
      'unknown_version',
      () => changed('training_state.json', { config: { ...defaultConfig(), version: 99 } }),
    ],
    ['a step that is none', 'bad_state', () => changed('training_state.json', { step: -1 })],
    [
      'a loss scale that would round',
      'bad_state',
      () =>
        changed('training_state.json', {
          loss_scale: { scale: 3, clean_steps: 0, skipped_updates: 0 },
        }),
    ],
    [
      'a loss scale of zero',
      'bad_state',
      () =>
        changed('training_state.json', {
          loss_scale: { scale: 0, clean_steps: 0, skipped_updates: 0 },
        }),
    ],
    [
      'a field that nobody knows',
      'bad_state',
      () => changed('training_state.json', { surprise: 1 }),
    ],
    [
      'moments of another model',
      'unexpected_tensor',
      () =>
        writeCheckpoint(state).set(
          'optimizer.safetensors',
          writeSafetensors([vector('exp_avg.nothing')]),
        ),
    ],
    [
      'moments of another kind',
      'unexpected_tensor',
      () =>
        writeCheckpoint(state).set(
          'optimizer.safetensors',
          writeSafetensors([vector('__proto__x.transformer.ln_f.bias')]),
        ),
    ],
    [
      'moments of another shape',
      'shape_mismatch',
      () =>
        writeCheckpoint(state).set(
          'optimizer.safetensors',
          writeSafetensors([vector('exp_avg.transformer.ln_f.bias')]),
        ),
    ],
  ])('%s: %s', (_name, code, files) => expect(codeOf(() => readCheckpoint(files()))).toBe(code));

  it('are not written either', () => {
    expect(codeOf(() => writeCheckpoint({ ...state, parameters: new Map() }))).toBe(
      'missing_tensor',
    );
    expect(
      codeOf(() => writeCheckpoint({ ...state, model: { ...state.model, vocab_size: 10 } })),
    ).toBe('vocab_mismatch');
    expect(
      codeOf(() =>
        writeCheckpoint({
          ...state,
          optimizer: new Map([['exp_avg.transformer.ln_f.bias', new Float32Array(3)]]),
        }),
      ),
    ).toBe('shape_mismatch');
  });
});

describe('the small files', () => {
  it('say what transformers needs to know', () => {
    const files = writeCheckpoint(tinyState({ layout: 'gpt2' }));
    expect(json(files, 'tokenizer_config.json')).toEqual({
      tokenizer_class: 'PreTrainedTokenizerFast',
      clean_up_tokenization_spaces: false,
      model_max_length: 8,
      bos_token: '<|endoftext|>',
      eos_token: '<|endoftext|>',
    });
    expect(json(files, 'generation_config.json')).toEqual({
      bos_token_id: 10,
      eos_token_id: 10,
      max_new_tokens: 64,
      do_sample: true,
      temperature: 0.8,
      top_k: 0,
      top_p: 1,
    });
  });
  it('take the likeliest token where the temperature is 0', () => {
    const state = tinyState({ layout: 'gpt2' });
    const config = { ...state.config, sampling: { ...state.config.sampling, temperature: 0 } };
    expect(
      json(writeCheckpoint({ ...state, config, eos_token_id: null }), 'generation_config.json'),
    ).toEqual({ max_new_tokens: 64, do_sample: false });
  });
});
