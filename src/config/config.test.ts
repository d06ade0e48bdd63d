import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  LABELS,
  MOST_LOGITS_BYTES,
  PRESETS,
  changedFields,
  checkConfig,
  decodeConfig,
  defaultConfig,
  encodeConfig,
  fieldPaths,
  getField,
  hasConfig,
  labelOf,
  logitsBytes,
  logitsChunk,
  parseConfig,
  parseConfigJson,
  presetById,
  rangeOf,
  resolveModel,
  withField,
  type Facts,
  type FieldPath,
  type RunConfig,
} from './index.ts';

const set = (
  changes: Partial<Record<FieldPath, number | boolean | string>>,
  from: RunConfig = defaultConfig(),
): RunConfig =>
  fieldPaths().reduce((config, path) => {
    const value = changes[path];
    return value === undefined ? config : withField(config, path, value);
  }, from);

describe('fields and labels', () => {
  it('cover the whole configuration', () => {
    const paths = Object.entries(defaultConfig()).flatMap(([section, fields]) =>
      typeof fields === 'object' ? Object.keys(fields).map((f) => `${section}.${f}`) : [],
    );
    expect([...fieldPaths()].sort()).toEqual(paths.sort());
    expect(
      Object.entries(LABELS)
        .flatMap(([s, fields]) => Object.keys(fields).map((f) => `${s}.${f}`))
        .sort(),
    ).toEqual(paths.sort());
  });
  it('have the ranges of the schema', () => {
    expect(rangeOf('model.n_layer')).toEqual({
      kind: 'number',
      integer: true,
      min: 1,
      max: 48,
      default: 4,
    });
    expect(rangeOf('training.learning_rate')).toEqual({
      kind: 'number',
      integer: false,
      min: 0,
      max: 10,
      default: 1e-3,
    });
    expect(rangeOf('sampling.prompts')).toEqual({
      kind: 'texts',
      max_items: 8,
      max_length: 2000,
      default: [''],
    });
    expect(rangeOf('runtime.backend')).toMatchObject({ kind: 'choice', default: 'auto' });
  });
  it.each(fieldPaths())(
    '%s: its range has the default, and its label a line, a source and its options',
    (path) => {
      const range = rangeOf(path);
      const label = labelOf(path);
      expect(getField(defaultConfig(), path)).toEqual(range.default);
      expect(label.does.length).toBeGreaterThan(5);
      expect(label.does).not.toMatch(/\n/);
      expect(label.source).not.toBe('');
      if (range.kind === 'choice')
        expect(Object.keys(label.options ?? {}).sort()).toEqual([...range.options].sort());
    },
  );
});

describe('presets', () => {
  it.each(PRESETS.map((p) => [p.id, p] as const))(
    '%s has no problem and survives the address',
    (_id, preset) => {
      expect(checkConfig(preset.config)).toEqual([]);
      expect(decodeConfig(encodeConfig(preset.config))).toEqual(preset.config);
      expect(encodeConfig(preset.config)).toBe(`?v=1&preset=${preset.id}`);
    },
  );
  it('have the ids and the hyper-parameters that they are known by', () => {
    expect(PRESETS.map((p) => p.id)).toEqual([
      'names',
      'novel_char',
      'classic',
      'tiny_tales',
      'arithmetic',
      'small_llama',
    ]);
    expect(presetById('novel_char')?.config).toMatchObject({
      model: { n_layer: 6, n_head: 6, n_embd: 384, block_size: 256, dropout: 0.2, bias: false },
      training: {
        batch_size: 64,
        learning_rate: 1e-3,
        min_lr: 1e-4,
        beta1: 0.9,
        beta2: 0.99,
        warmup_iters: 100,
        max_iters: 5000,
        lr_decay_iters: 5000,
        eval_interval: 250,
        eval_iters: 200,
        weight_decay: 0.1,
        grad_clip: 1,
        gradient_accumulation_steps: 1,
      },
    });
    expect(presetById('classic')?.config).toMatchObject({
      tokenizer: { kind: 'bpe', vocab_size: 10000 },
      model: { layout: 'gpt2', n_embd: 128, n_head: 8, n_inner: 256, n_layer: 6, block_size: 128 },
      training: {
        batch_size: 16,
        optimizer: 'adam',
        learning_rate: 1e-3,
        lr_schedule: 'constant',
        warmup_iters: 0,
      },
    });
  });
});

describe('checkConfig', () => {
  const cases: [string, Partial<Record<FieldPath, number | boolean | string>>, Facts, FieldPath][] =
    [
      [
        'width_not_divisible_by_heads',
        { 'model.n_embd': 130, 'model.n_head': 4 },
        {},
        'model.n_embd',
      ],
      [
        'heads_not_divisible_by_kv_heads',
        { 'model.layout': 'llama', 'model.activation_function': 'silu', 'model.n_kv_head': 3 },
        {},
        'model.n_kv_head',
      ],
      [
        'odd_head_dim',
        { 'model.layout': 'llama', 'model.activation_function': 'silu', 'model.n_embd': 12 },
        {},
        'model.n_head',
      ],
      ['needs_llama', { 'model.n_kv_head': 2 }, {}, 'model.n_kv_head'],
      ['needs_llama', { 'model.qk_norm': true }, {}, 'model.qk_norm'],
      ['needs_llama', { 'model.sliding_window': 8 }, {}, 'model.sliding_window'],
      [
        'activation_not_in_layout',
        { 'model.activation_function': 'silu' },
        {},
        'model.activation_function',
      ],
      ['activation_not_in_layout', { 'model.layout': 'llama' }, {}, 'model.activation_function'],
      ['min_lr_above_learning_rate', { 'training.min_lr': 0.01 }, {}, 'training.min_lr'],
      ['warmup_longer_than_run', { 'training.max_iters': 50 }, {}, 'training.warmup_iters'],
      [
        'decay_ends_before_warmup',
        { 'training.lr_decay_iters': 50 },
        {},
        'training.lr_decay_iters',
      ],
      [
        'vocabulary_too_large',
        { 'tokenizer.kind': 'bpe' },
        { vocab_size: 700 },
        'tokenizer.vocab_size',
      ],
      ['text_too_short', {}, { train_tokens: 64 }, 'model.block_size'],
      ['text_too_short', {}, { train_tokens: 0 }, 'model.block_size'],
      ['validation_too_short', {}, { train_tokens: 6500, val_tokens: 1 }, 'data.val_fraction'],
      [
        'tensor_above_binding_limit',
        { 'training.batch_size': 4096 },
        { vocab_size: 1000, max_binding_size: 2 ** 27 },
        'training.batch_size',
      ],
      [
        'tensor_above_binding_limit',
        { 'training.batch_size': 1, 'model.block_size': 4096, 'model.n_inner': 16384 },
        { vocab_size: 32768, max_binding_size: 2 ** 27 },
        'model.block_size',
      ],
      [
        'buffer_above_limit',
        {},
        { max_buffer_size: 2 ** 28, planned_largest_buffer: 2 ** 29 },
        'training.batch_size',
      ],
      [
        'does_not_fit_device',
        {},
        { planned_bytes: 2 ** 33, memory_bytes: 2 ** 32 },
        'training.batch_size',
      ],
    ];
  it.each(cases)('says %s of %j', (code, changes, facts, field) => {
    const problems = checkConfig(set(changes), facts);
    expect(problems.map((p) => [p.code, p.field])).toEqual([[code, field]]);
    for (const text of [problems[0]?.message, problems[0]?.hint])
      expect(text).toMatch(/^[A-Z0-9].*[.]$/);
  });
  it('finds nothing wrong with the defaults, nor at the very limits', () => {
    expect(checkConfig(defaultConfig())).toEqual([]);
    const feed_forward = 16 * 64 * 512 * 4;
    expect(
      checkConfig(defaultConfig(), {
        vocab_size: 1000,
        train_tokens: 65,
        val_tokens: 2,
        max_binding_size: feed_forward,
        planned_bytes: 9,
        memory_bytes: 9,
      }),
    ).toEqual([]);
    expect(
      checkConfig(defaultConfig(), { vocab_size: 1000, max_binding_size: feed_forward - 1 }),
    ).toHaveLength(1);
  });
  it('gives hints that work', () => {
    const kv = set({
      'model.layout': 'llama',
      'model.activation_function': 'silu',
      'model.n_head': 8,
      'model.n_kv_head': 3,
    });
    expect(checkConfig(kv)[0]?.hint).toBe('Set n_kv_head to 2, or to 0 for as many as n_head.');
    const wide = set({ 'training.batch_size': 4096 });
    const facts = { vocab_size: 1000, max_binding_size: 2 ** 27 };
    expect(checkConfig(wide, facts)[0]?.hint).toContain('batch_size to 1024 or less');
    expect(checkConfig(set({ 'training.batch_size': 1024 }), facts)).toEqual([]);
    expect(checkConfig(set({ 'training.batch_size': 1025 }), facts)).toHaveLength(1);
  });
});

describe('logits', () => {
  const large = set({ 'training.batch_size': 8, 'model.block_size': 1024 });
  const MB128 = 2 ** 27;
  const chunkOf = (config: RunConfig, vocab: number, binding?: number) =>
    logitsChunk(resolveModel(config.model, vocab), config.training, binding);

  it('of 50,257 tokens, which no binding of 128 MiB would hold, are made in chunks, and the run fits', () => {
    const model = resolveModel(large.model, 50257);
    expect(4 * 8 * 1024 * 50257).toBeGreaterThan(12 * MB128);
    expect(logitsBytes(model, large.training, MB128)).toBeLessThanOrEqual(MB128);
    expect(checkConfig(large, { vocab_size: 50257, max_binding_size: MB128 })).toEqual([]);
  });
  it('are made at once up to the limit, which a larger binding does not move', () => {
    const tokens = MOST_LOGITS_BYTES / (4 * 8 * 1024);
    for (const binding of [undefined, 2 ** 31])
      expect([tokens, tokens + 1].map((v) => chunkOf(large, v, binding))).toEqual([tokens, 4160]);
    const halves = set({
      'training.batch_size': 8,
      'model.block_size': 1024,
      'training.mixed_precision': 'fp16',
    });
    // A vocabulary that is no multiple of four has its logits in float32.
    expect([2 * tokens, 2 * tokens + 4, tokens + 1].map((v) => chunkOf(halves, v))).toEqual([
      2 * tokens,
      8256,
      4160,
    ]);
  });
  it('come in equal chunks, whole multiples of 64, as few as the limit allows', () => {
    for (const vocab of [8193, 9999, 32000, 50257, 50304, 151_936])
      for (const binding of [2 ** 27, 2 ** 28, 1e8]) {
        const chunk = chunkOf(large, vocab, binding);
        const most = Math.floor(binding / (4 * 8 * 1024 * 64)) * 64;
        expect(chunk % 64).toBe(0);
        expect(chunk).toBeLessThanOrEqual(most);
        expect(Math.ceil(vocab / chunk)).toBe(Math.ceil(vocab / most));
      }
  });
  it('of 64 tokens must fit', () => {
    const vast = set({
      'training.batch_size': 4096,
      'model.block_size': 4096,
      'model.n_embd': 4,
      'model.n_head': 1,
    });
    const [problem] = checkConfig(vast, { vocab_size: 50257, max_binding_size: MB128 });
    expect(problem?.message).toMatch(
      /^One tensor, the logits of 64 tokens of the vocabulary at a time/,
    );
    expect(problem?.hint).toContain('Set batch_size to 128 or less');
    expect(
      checkConfig(withField(vast, 'training.batch_size', 128), {
        vocab_size: 50257,
        max_binding_size: MB128,
      }),
    ).toEqual([]);
  });
});

describe('addresses', () => {
  it('carry what differs from the defaults alone', () => {
    expect(encodeConfig(defaultConfig())).toBe('?v=1');
    expect(encodeConfig(set({ 'model.n_layer': 6, 'model.bias': false }))).toBe(
      '?v=1&model.n_layer=6&model.bias=false',
    );
  });
  it('give back every value, prompts with odd characters and none included', () => {
    const config = {
      ...set({
        'training.epsilon': 1e-12,
        'training.max_tokens': Number.MAX_SAFE_INTEGER,
        'runtime.backend': 'wasm',
      }),
    };
    for (const prompts of [[], ['', ''], ['a&b=c+d e%20#?', '\u{1f600}\n']]) {
      const with_prompts = withField(config, 'sampling.prompts', prompts);
      expect(decodeConfig(encodeConfig(with_prompts))).toEqual(with_prompts);
    }
  });
  it("take a preset with changes, and pass over what is the page's own", () => {
    const config = decodeConfig('?preset=names&model.n_layer=1&headless=1&autostart=1');
    expect(changedFields(config, presetById('names')?.config)).toEqual(['model.n_layer']);
    expect(hasConfig('?headless=1')).toBe(false);
    expect(hasConfig('?preset=names')).toBe(true);
    expect(decodeConfig('')).toEqual(defaultConfig());
  });
  const wrong: [string, string, string][] = [
    ['?v=2', 'unknown_version', 'version 2'],
    ['?v=', 'unknown_version', 'version ""'],
    ['?preset=nope', 'unknown_preset', 'nope'],
    ['?model.n_layers=6', 'unknown_key', 'model.n_layers'],
    ['?n_layer=6', 'unknown_key', 'n_layer'],
    ['?__proto__.x=1', 'unknown_key', '__proto__'],
    ['?model.__proto__=1', 'unknown_key', '__proto__'],
    ['?model.constructor=1', 'unknown_key', 'constructor'],
    ['?model.n_layer=', 'bad_value', 'model.n_layer'],
    ['?model.n_layer=2.5', 'bad_value', '2.5'],
    ['?model.n_layer=0x10', 'bad_value', '0x10'],
    ['?model.n_layer=999', 'bad_value', '999'],
    ['?model.bias=yes', 'bad_value', 'yes'],
    ['?model.layout=bert', 'bad_value', 'bert'],
    ['?model.n_layer=1&model.n_layer=2', 'duplicate_key', 'model.n_layer'],
    ['?training.learning_rate=NaN', 'bad_value', 'NaN'],
    ['?training.learning_rate=1e999', 'bad_value', 'Infinity'],
  ];
  it('of absurd length are not read', () => {
    expect(thrownBy(() => decodeConfig(`?x=${'y'.repeat(100_001)}`)).code).toBe('too_long');
  });
  it.each(wrong)('%s is %s', (search, code, mentions) => {
    const error = thrownBy(() => decodeConfig(search));
    expect(error.code).toBe(code);
    expect(error.message).toContain(mentions);
  });
  it('guess what was meant', () => {
    expect(thrownBy(() => decodeConfig('?model.n_layers=6')).hint).toBe(
      'Did you mean model.n_layer?',
    );
    expect(thrownBy(() => decodeConfig('?n_layer=6')).hint).toBe('Did you mean model.n_layer?');
  });
});

describe('parseConfig', () => {
  it('fills in defaults and reads back what was saved', () => {
    expect(parseConfig({})).toEqual(defaultConfig());
    for (const { config } of PRESETS)
      expect(parseConfigJson(JSON.stringify(config))).toEqual(config);
  });
  it.each([
    ['null', 'not_a_config'],
    ['[]', 'not_a_config'],
    ['"x"', 'not_a_config'],
    ['{', 'not_a_config'],
    ['{"version":2}', 'unknown_version'],
    ['{"version":null}', 'unknown_version'],
    ['{"version":"1"}', 'unknown_version'],
    ['{"model":[]}', 'bad_value'],
    ['{"model":{"n_layer":"4"}}', 'bad_value'],
    ['{"models":{}}', 'unknown_key'],
    ['{"__proto__":{"model":{"n_layer":9}}}', 'unknown_key'],
    ['{"model":{"__proto__":{"n_layer":9}}}', 'unknown_key'],
    ['{"model":{"toString":1}}', 'unknown_key'],
    ['{"sampling":{"prompts":[1]}}', 'bad_value'],
  ])('%s is %s', (json, code) => {
    expect(thrownBy(() => parseConfigJson(json)).code).toBe(code);
    expect(Object.hasOwn(Object.prototype, 'model')).toBe(false);
  });
  it('says an unknown version in plain words', () => {
    expect(thrownBy(() => parseConfig({ version: 7 })).message).toBe(
      'The configuration has version 7, and this page reads version 1.',
    );
  });
});

function thrownBy(fn: () => unknown): ConfigError {
  try {
    fn();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('Nothing was thrown.');
}
