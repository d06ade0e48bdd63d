import { describe, expect, it } from 'vitest';
import type { Lineage } from '../common/index.ts';
import { defaultConfig } from '../config/index.ts';
import { describeExport, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { CheckpointState, ObjectiveTensor } from './checkpoint_state.ts';
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
/** A folder as another program writes it: without what Terrarium adds. */
const foreign = (state: CheckpointState) =>
  new Map(
    [...writeCheckpoint(state)].filter(
      ([path]) => !/training_state|optimizer|lineage|metrics/.test(path),
    ),
  );

describe('round trip', () => {
  it.each(Object.entries(LAYOUTS))('restores every value of %s', (_name, change) => {
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
  it('keeps the loss scale of mixed precision in training_state.json and nowhere else', () => {
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
    // Without a loss scale, as in checkpoints that predate it.
    expect(json(plain, 'training_state.json')).not.toHaveProperty('loss_scale');
    expect(readCheckpoint(plain).loss_scale).toBeUndefined();
  });
  it('writes the same bytes again after reading them', () => {
    const files = writeCheckpoint(tinyState(LAYOUTS.qwen3 ?? {}));
    expect(writeCheckpoint(readCheckpoint(files))).toEqual(files);
  });
  it('keeps an imported tokenizer.json byte for byte', () => {
    const bytes = new TextEncoder().encode(
      JSON.stringify(tinyTokenizer).replace('"a":0', '"7":6,"__proto__" : 0').replace('"g":6,', ''),
    );
    const state = tinyState({});
    expect(readCheckpoint(writeCheckpoint({ ...state, tokenizer: bytes })).tokenizer).toEqual(
      bytes,
    );
  });
  it('refuses a plain export of a model that transformers does not have, and explains why', () => {
    const state = tinyState({ layout: 'gpt2', qk_norm: true });
    expect(codeOf(() => writeCheckpoint(state, { plain: true }))).toBe('no_equivalent');
    expect(json(writeCheckpoint(state), 'config.json').model_type).toBe('terrarium');
    expect(describeExport(state.model)).toMatchObject({
      plain: false,
      notes: [expect.stringContaining('QK-norm')],
    });
  });
});

describe('model.safetensors', () => {
  it('splits and transposes packed weights', () => {
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
  it('stores GPT-2 weights in the layout of Conv1D, and omits a tied head', () => {
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
  it('writes zero biases for a GPT-2 without biases, and requires zeros when reading', () => {
    const state = tinyState({ layout: 'gpt2', bias: false });
    const files = writeCheckpoint(state);
    const tensors = tensorsOf(files);
    const biases = [...tensors.keys()].filter((name) => name.endsWith('.bias'));
    expect(biases).toHaveLength(2 * 6 + 1);
    expect(biases.every((name) => valueOf(tensors, name).every((x) => x === 0))).toBe(true);
    files.set(
      'model.safetensors',
      writeSafetensors(
        [...tensors.values()].map((tensor) =>
          tensor.name === 'transformer.ln_f.bias'
            ? { ...again(tensor), write: (out) => out.fill(1) }
            : again(tensor),
        ),
      ),
    );
    expect(codeOf(() => readCheckpoint(files))).toBe('config_mismatch');
  });
});

describe('folders of other programs', () => {
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
  it('may lack the prefix, contain masks, and be nested', () => {
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
        ...tensors.map((tensor) => again(tensor, tensor.name.replace('transformer.', ''))),
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
    files.set(shard(0), writeSafetensors(tensors.slice(0, half).map((tensor) => again(tensor))));
    files.set(shard(1), writeSafetensors(tensors.slice(half).map((tensor) => again(tensor))));
    const weight_map = Object.fromEntries(
      tensors.map(({ name }, i) => [name, shard(i < half ? 0 : 1)]),
    );
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
  it.each(['F16', 'BF16'])('may have %s weights', (dtype) => {
    const files = foreign(tinyState({ layout: 'gpt2', n_layer: 1 }));
    const header: Record<string, object> = {};
    const bits: number[] = [];
    for (const [name, { shape }] of tensorsOf(files)) {
      const start = 2 * bits.length;
      const size = shape.reduce((product, n) => product * n, 1);
      for (let i = 0; i < size; i++) bits.push(dtype === 'F16' ? 0x3800 : 0x3f00);
      header[name] = { dtype, shape, data_offsets: [start, 2 * bits.length] };
    }
    files.set(
      'model.safetensors',
      rawSafetensors(JSON.stringify(header), new Uint8Array(Uint16Array.from(bits).buffer)),
    );
    const values = [...readCheckpoint(files).parameters.values()];
    expect(values.length).toBeGreaterThan(10);
    expect(values.every((tensor) => tensor.every((x) => x === 0.5))).toBe(true);
  });
  it('may store a tied head again if it equals the embedding', () => {
    const files = foreign(tinyState({ layout: 'gpt2' }));
    const tensors = [...tensorsOf(files).values()];
    const wte = tensors.find(({ name }) => name.endsWith('wte.weight'));
    if (!wte) return expect.unreachable();
    const withHead = (write: TensorSource['write']) =>
      files.set(
        'model.safetensors',
        writeSafetensors([
          ...tensors.map((tensor) => again(tensor)),
          { name: 'lm_head.weight', shape: wte.shape, write },
        ]),
      );
    withHead((out) => out.set(readTensor(wte)));
    expect(readCheckpoint(files).parameters.has('lm_head.weight')).toBe(false);
    withHead((out) => out.fill(1));
    expect(codeOf(() => readCheckpoint(files))).toBe('config_mismatch');
  });
});

describe('inconsistent folders', () => {
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
  const withTensors = (change: (tensors: TensorSource[]) => TensorSource[]) => {
    const files = writeCheckpoint(state);
    return files.set(
      'model.safetensors',
      writeSafetensors(change([...tensorsOf(files).values()].map((tensor) => again(tensor)))),
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
      'only a pickle',
      'pickle',
      () => new Map([['model.pt', new TextEncoder().encode('PK\u0003\u0004xx/data.pkl')]]),
    ],
    [
      'a pickle without a telling name',
      'pickle',
      () => new Map([['model', Uint8Array.of(0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0)]]),
    ],
    ['a missing tensor', 'missing_tensor', () => withTensors((tensors) => tensors.slice(1))],
    [
      'a superfluous tensor',
      'unexpected_tensor',
      () => withTensors((tensors) => [...tensors, vector('transformer.h.0.attn.extra.bias')]),
    ],
    [
      'one tensor with and without prefix',
      'duplicate_name',
      () => withTensors((tensors) => [...tensors, vector('ln_f.bias')]),
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
    [
      'two files that contradict each other',
      'config_mismatch',
      () => changed('config.json', { n_inner: 48 }),
    ],
    [
      'a tokenizer with more tokens than the embedding has rows',
      'vocab_mismatch',
      () => changed('tokenizer.json', { added_tokens: [{ id: 11, content: 'x' }] }),
    ],
    [
      'a tokenizer without a vocabulary',
      'bad_tokenizer',
      () => changed('tokenizer.json', { model: {} }),
    ],
    [
      'a tokenizer with fractional ids',
      'bad_tokenizer',
      () => changed('tokenizer.json', { model: { type: 'BPE', vocab: { a: 1.5 } } }),
    ],
    [
      'an unknown state version',
      'unknown_version',
      () => changed('training_state.json', { version: 99 }),
    ],
    [
      'an unknown configuration version',
      'unknown_version',
      () => changed('training_state.json', { config: { ...defaultConfig(), version: 99 } }),
    ],
    ['a negative step', 'bad_state', () => changed('training_state.json', { step: -1 })],
    [
      'a loss scale that is not a power of two',
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
    ['an unknown field', 'bad_state', () => changed('training_state.json', { surprise: 1 })],
  ])('are refused: %s (%s)', (_name, code, files) =>
    expect(codeOf(() => readCheckpoint(files()))).toBe(code),
  );

  const withMoments = (tensors: readonly TensorSource[]) =>
    writeCheckpoint(state).set('optimizer.safetensors', writeSafetensors(tensors));
  const filled = (name: string, value: number): TensorSource => ({
    ...vector(name),
    shape: [16],
    write: (out) => out.fill(value),
  });

  it.each([
    ['of another model', [vector('exp_avg.nothing')]],
    ['of an unknown kind', [vector('__proto__x.transformer.ln_f.bias')]],
    ['of a wrong shape', [vector('exp_avg.transformer.ln_f.bias')]],
    ['that are not numbers', [filled('exp_avg.transformer.ln_f.bias', NaN)]],
    ['that are infinite', [filled('exp_avg.transformer.ln_f.bias', -Infinity)]],
    ['of negative squares', [filled('exp_avg_sq.transformer.ln_f.bias', -1)]],
  ])('have moments left out, with a sentence: %s', (_name, tensors) => {
    const back = readCheckpoint(withMoments(tensors));
    expect(back.optimizer.size).toBe(0);
    expect(back.optimizer_problem).toMatch(/^optimizer\.safetensors .*\.$/);
    expect(back.parameters).toEqual(state.parameters);
  });

  it('have their moments left out if the file is no safetensors file', () => {
    const files = writeCheckpoint(state).set('optimizer.safetensors', new Uint8Array(20));
    expect(readCheckpoint(files).optimizer_problem).toMatch(/is damaged/);
  });

  it.each([NaN, Infinity, -Infinity])('are refused for weights of %d', (value) => {
    const parameters = new Map(state.parameters);
    const bias = Float32Array.from(parameters.get('transformer.ln_f.bias') ?? []);
    bias[3] = value;
    const files = writeCheckpoint({
      ...state,
      parameters: parameters.set('transformer.ln_f.bias', bias),
    });
    expect(codeOf(() => readCheckpoint(files))).toBe('not_finite');
    const head = { shape: [1], data: Float32Array.of(value) };
    const objective_tensors = new Map([['score.weight', head]]);
    const withHead = writeCheckpoint({ ...state, objective_tensors });
    expect(codeOf(() => readCheckpoint(withHead))).toBe('not_finite');
  });

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

describe('lineage.json', () => {
  const lineages: [string, Lineage][] = [
    ['pretraining', { objective: 'pretrain', parent: null, dataset: 'names' }],
    [
      'a run with a parent',
      {
        objective: 'dpo',
        parent: { kind: 'run', run: 'b7d1-c0de', name: 'Größe 🦊', step: 500 },
        dataset: 'pairs.jsonl',
      },
    ],
    [
      'an imported folder and an objective of a later version',
      { objective: 'future', parent: { kind: 'imported', name: 'gpt2.zip' }, dataset: '' },
    ],
  ];

  it.each(lineages)('keeps %s', (_name, lineage) => {
    const files = writeCheckpoint({ ...tinyState({}), lineage });
    expect(readCheckpoint(files).lineage).toEqual(lineage);
    expect(writeCheckpoint(readCheckpoint(files))).toEqual(files);
  });

  it('keeps how the text was split, and reads what a later version wrote as the newest', () => {
    const lineage: Lineage = { objective: 'pretrain', parent: null, dataset: 'names' };
    const splitVersion = (json: object): unknown =>
      readCheckpoint(writeCheckpoint(tinyState({})).set('lineage.json', encodeJson(json))).lineage
        .split_version;
    expect(splitVersion(lineage)).toBeUndefined();
    expect(splitVersion({ ...lineage, split_version: 1 })).toBe(1);
    expect(splitVersion({ ...lineage, split_version: 2 })).toBe(2);
    expect(splitVersion({ ...lineage, split_version: 7 })).toBe(2);
  });

  it('is pretraining without a parent if the file does not exist', () => {
    const files = writeCheckpoint(tinyState({}));
    files.delete('lineage.json');
    expect(readCheckpoint(files).lineage).toEqual({
      objective: 'pretrain',
      parent: null,
      dataset: '',
    });
  });

  it('cuts names that are too long to be read back', () => {
    const name = 'x'.repeat(5000);
    const lineage: Lineage = {
      objective: 'sft',
      parent: { kind: 'imported', name },
      dataset: name,
    };
    const back = readCheckpoint(writeCheckpoint({ ...tinyState({}), lineage })).lineage;
    expect(back.objective).toBe('sft');
    expect(back.dataset.length).toBe(400);
    expect(back.parent?.name.length).toBe(400);
  });

  it('ignores keys of a later version', () => {
    const lineage = { objective: 'sft', parent: null, dataset: '', more: 1 };
    const files = writeCheckpoint(tinyState({}));
    files.set('lineage.json', encodeJson(lineage));
    expect(readCheckpoint(files).lineage).toEqual({ objective: 'sft', parent: null, dataset: '' });
  });

  it.each([
    ['a number as objective', { objective: 1, parent: null, dataset: '' }],
    ['an unknown kind of parent', { objective: 'sft', parent: { kind: 'x' }, dataset: '' }],
    [
      'a parent without a step',
      { objective: 'sft', parent: { kind: 'run', run: 'a', name: 'a' }, dataset: '' },
    ],
    ['a dataset of megabytes', { objective: 'sft', parent: null, dataset: 'x'.repeat(2 ** 20) }],
    ['nothing', {}],
  ])('refuses %s', (_name, json) => {
    const files = writeCheckpoint(tinyState({})).set('lineage.json', encodeJson(json));
    expect(codeOf(() => readCheckpoint(files))).toBe('bad_state');
  });
});

describe('the learning rate multiplier', () => {
  it('is kept in the schedule of training_state.json', () => {
    const files = writeCheckpoint({ ...tinyState({}), lr_multiplier: 0.25 });
    const { schedule } = json(files, 'training_state.json');
    expect(schedule).toEqual({ learning_rate: 3e-4, lr_multiplier: 0.25 });
    const back = readCheckpoint(files);
    expect(back.lr_multiplier).toBe(0.25);
    expect(back.schedule).toEqual({ learning_rate: 3e-4 });
  });

  it('is 1 by default, and is not written then', () => {
    const files = writeCheckpoint({ ...tinyState({}), schedule: undefined, lr_multiplier: 1 });
    expect(json(files, 'training_state.json').schedule).toEqual({});
    expect(readCheckpoint(files).lr_multiplier).toBe(1);
  });

  it('disappears when a run returns to its schedule', () => {
    const slower = readCheckpoint(writeCheckpoint({ ...tinyState({}), lr_multiplier: 0.25 }));
    const back = readCheckpoint(writeCheckpoint({ ...slower, lr_multiplier: 1 }));
    expect(back.lr_multiplier).toBe(1);
  });

  it.each([0, -1])('of %s is refused', (lr_multiplier) => {
    const files = writeCheckpoint(tinyState({}));
    const saved = json(files, 'training_state.json');
    files.set('training_state.json', encodeJson({ ...saved, schedule: { lr_multiplier } }));
    expect(() => readCheckpoint(files)).toThrow('must be greater than 0.');
    expect(codeOf(() => readCheckpoint(files))).toBe('bad_state');
  });

  it.each([0, NaN, Infinity])('of %s is not written', (lr_multiplier) =>
    expect(codeOf(() => writeCheckpoint({ ...tinyState({}), lr_multiplier }))).toBe('bad_state'),
  );
});

describe('objective.safetensors', () => {
  const head: ObjectiveTensor = { shape: [1, 16], data: new Float32Array(16).fill(0.5) };
  const base = tinyState({});
  const tensors = new Map<string, ObjectiveTensor>([
    ['score.weight', head],
    ['reference.step', { shape: [], data: Float32Array.of(7) }],
    ['transformer.ln_f.bias', { shape: [16], data: new Float32Array(16).fill(0.25) }],
  ]);
  const withMoments = (names: readonly string[]): CheckpointState => ({
    ...base,
    objective_tensors: tensors,
    optimizer: new Map(names.map((name) => [name, new Float32Array(16).fill(2)])),
  });

  it('keeps the tensors of an objective, and moments of those that train', () => {
    const state = withMoments(['exp_avg.score.weight', 'exp_avg.transformer.ln_f.bias']);
    const files = writeCheckpoint(state);
    const back = readCheckpoint(files);
    expect(back.objective_tensors).toEqual(tensors);
    // All parameters of the model without moments are frozen.
    expect(back.optimizer).toEqual(state.optimizer);
    expect(back.parameters).toEqual(base.parameters);
    expect(writeCheckpoint(back)).toEqual(files);
  });

  it('does not exist if there are no tensors', () => {
    expect(writeCheckpoint(base).has('objective.safetensors')).toBe(false);
    expect(readCheckpoint(writeCheckpoint(base)).objective_tensors.size).toBe(0);
  });

  it('is ignored in a folder without training state, as moments are', () => {
    const files = writeCheckpoint(withMoments(['exp_avg.score.weight']));
    files.delete('training_state.json');
    const back = readCheckpoint(files);
    expect([back.foreign, back.optimizer.size, back.objective_tensors.size]).toEqual([true, 0, 0]);
  });

  it('is not written with a shape that contradicts the data, or a reserved name', () => {
    const write = (name: string, tensor: ObjectiveTensor) => () =>
      writeCheckpoint({ ...base, objective_tensors: new Map([[name, tensor]]) });
    expect(codeOf(write('a', { ...head, shape: [4] }))).toBe('shape_mismatch');
    expect(codeOf(write('__metadata__', head))).toBe('forbidden_name');
    expect(codeOf(write('__proto__', head))).toBe('forbidden_name');
  });

  it('must be intact, and must have the tensors that moments belong to', () => {
    const files = writeCheckpoint(withMoments(['exp_avg.score.weight']));
    const bytes = files.get('objective.safetensors') ?? new Uint8Array();
    files.set('objective.safetensors', bytes.subarray(0, bytes.length - 1));
    expect(codeOf(() => readCheckpoint(files))).toBe('truncated');
    files.delete('objective.safetensors');
    expect(readCheckpoint(files).optimizer_problem).toMatch('exp_avg.score.weight');
    const other = writeSafetensors([{ name: 'score.weight', shape: [2], write: () => undefined }]);
    files.set('objective.safetensors', other);
    expect(readCheckpoint(files).optimizer_problem).toMatch('exp_avg.score.weight');
  });
});

describe('the small JSON files', () => {
  it('tell transformers the special tokens and sampling defaults', () => {
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
  it('select greedy decoding for a temperature of 0', () => {
    const state = tinyState({ layout: 'gpt2' });
    const config = { ...state.config, sampling: { ...state.config.sampling, temperature: 0 } };
    expect(
      json(writeCheckpoint({ ...state, config, eos_token_id: null }), 'generation_config.json'),
    ).toEqual({ max_new_tokens: 64, do_sample: false });
  });
});
