import { describe, expect, it } from 'vitest';
import {
  adjustmentsOf,
  checkConfig,
  defaultConfig,
  withAdjustments,
  withField,
  type Facts,
  type FieldPath,
} from '../index.ts';
import { withFields } from '../testing_configs.ts';

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
  it.each(cases)('reports %s for %j', (code, changes, facts, field) => {
    const problems = checkConfig(withFields(changes), facts);
    expect(problems.map((p) => [p.code, p.field])).toEqual([[code, field]]);
    for (const sentence of [problems[0]?.message, problems[0]?.hint])
      expect(sentence).toMatch(/^[A-Z0-9].*[.]$/);
  });
  it('says that repeats were removed, and offers to keep them', () => {
    const facts = { train_tokens: 22, val_tokens: 1, duplicates_removed: 499 };
    const [training, validation] = checkConfig(withFields({}), facts);
    expect(training?.message).toMatch(/ needs at least 65\. 499 repeats were removed\.$/);
    expect(training?.hint).toBe(
      'Keep repeats in the data section, set block_size to 21 or less, or add more text.',
    );
    expect(validation?.hint).toBe(
      'Keep repeats in the data section, raise val_fraction, or add more text.',
    );
  });
  it('accepts the defaults, and values exactly at the limits', () => {
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
  it('gives hints that solve the problem', () => {
    const kv = withFields({
      'model.layout': 'llama',
      'model.activation_function': 'silu',
      'model.n_head': 8,
      'model.n_kv_head': 3,
    });
    expect(checkConfig(kv)[0]?.hint).toBe('Set n_kv_head to 2, or to 0 for as many as n_head.');
    const wide = withFields({ 'training.batch_size': 4096 });
    const facts = { vocab_size: 1000, max_binding_size: 2 ** 27 };
    expect(checkConfig(wide, facts)[0]?.hint).toContain('batch_size to 1024 or less');
    expect(checkConfig(withFields({ 'training.batch_size': 1024 }), facts)).toEqual([]);
    expect(checkConfig(withFields({ 'training.batch_size': 1025 }), facts)).toHaveLength(1);
  });
});

describe('adjustmentsOf', () => {
  const cases: [string, Partial<Record<FieldPath, number | string>>, Facts, FieldPath, number][] = [
    [
      'a run shorter than its warm-up',
      { 'training.max_iters': 50 },
      {},
      'training.warmup_iters',
      50,
    ],
    ['a run of one step', { 'training.max_iters': 1 }, {}, 'training.warmup_iters', 1],
    [
      'a decay that ends before the warm-up',
      { 'training.lr_decay_iters': 40 },
      {},
      'training.warmup_iters',
      40,
    ],
    [
      'a decay that ends after a run shorter than the warm-up',
      { 'training.lr_decay_iters': 90, 'training.max_iters': 30 },
      {},
      'training.warmup_iters',
      30,
    ],
    [
      'a final rate above the peak',
      { 'training.learning_rate': 1e-5 },
      {},
      'training.min_lr',
      1e-5,
    ],
    [
      'a text with fewer pieces than the vocabulary',
      { 'tokenizer.kind': 'bpe' },
      { vocab_size: 700 },
      'tokenizer.vocab_size',
      700,
    ],
  ];
  it.each(cases)('makes one change for %s, after which nothing is left', (...given) => {
    const [, changes, facts, field, value] = given;
    const config = withFields(changes);
    const adjustments = adjustmentsOf(config, facts);
    expect(adjustments.map((one) => [one.field, one.value])).toEqual([[field, value]]);
    expect(adjustments[0]?.message).toMatch(/^[A-Z].*\d.*[.]$/u);
    const adjusted = withAdjustments(config, adjustments);
    expect(adjustmentsOf(adjusted, facts)).toEqual([]);
    expect(checkConfig(adjusted, facts)).toEqual([]);
  });
  it('changes nothing in the defaults, at the limits, or for a constant learning rate', () => {
    expect(adjustmentsOf(defaultConfig(), { vocab_size: 28 })).toEqual([]);
    expect(adjustmentsOf(withFields({ 'training.max_iters': 100 }))).toEqual([]);
    const constant = withFields({
      'training.lr_schedule': 'constant',
      'training.min_lr': 1,
      'training.lr_decay_iters': 5,
    });
    expect(adjustmentsOf(constant)).toEqual([]);
    expect(withAdjustments(constant, [])).toBe(constant);
  });
});

describe('the fix of a problem', () => {
  const broken: [Partial<Record<FieldPath, number | string | boolean>>, Facts][] = [
    [{ 'model.n_embd': 130 }, {}],
    [{ 'model.layout': 'llama', 'model.activation_function': 'silu', 'model.n_embd': 12 }, {}],
    [{ 'model.layout': 'llama', 'model.activation_function': 'silu', 'model.n_kv_head': 3 }, {}],
    [{ 'model.n_kv_head': 2 }, {}],
    [{ 'model.qk_norm': true }, {}],
    [{ 'model.sliding_window': 8 }, {}],
    [{ 'model.activation_function': 'silu' }, {}],
    [{}, { train_tokens: 40 }],
    [{ 'training.batch_size': 4096 }, { vocab_size: 1000, max_binding_size: 2 ** 27 }],
  ];
  it.each(broken)('solves %j', (changes, facts) => {
    const config = withFields(changes);
    const [problem] = checkConfig(config, facts);
    if (!problem?.fix) throw new Error('A fix was expected.');
    expect(checkConfig(withField(config, problem.fix.field, problem.fix.value), facts)).toEqual([]);
  });
});
