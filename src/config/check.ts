/**
 * Rules that span fields, or need facts of the text and the device: what would fail, said before
 * anything runs.
 */
import type { FieldPath } from './fields.ts';
import {
  resolveModel,
  type ModelConfig,
  type ResolvedModel,
  type RunConfig,
  type TrainingConfig,
} from './schema.ts';
import { largeTensors } from './tensors.ts';

export type ProblemCode =
  | 'width_not_divisible_by_heads'
  | 'heads_not_divisible_by_kv_heads'
  | 'odd_head_dim'
  | 'needs_llama'
  | 'activation_not_in_layout'
  | 'min_lr_above_learning_rate'
  | 'warmup_longer_than_run'
  | 'decay_ends_before_warmup'
  | 'vocabulary_too_large'
  | 'text_too_short'
  | 'validation_too_short'
  | 'does_not_fit_device'
  | 'tensor_above_binding_limit'
  | 'buffer_above_limit';

/**
 * Something that will not work: what (`message`) and what would (`hint`), one plain sentence each.
 */
export interface Problem {
  field: FieldPath;
  code: ProblemCode;
  message: string;
  hint: string;
}

/**
 * What is known about the text and the device so far; a rule whose facts are missing says nothing.
 */
export interface Facts {
  /** Tokens of the tokenizer. */
  vocab_size?: number;
  /** Rows of the embedding, if not `vocab_size`: an imported model may have more. */
  model_vocab_size?: number;
  train_tokens?: number;
  val_tokens?: number;
  max_binding_size?: number;
  max_buffer_size?: number;
  /** Largest single buffer and all buffers of the run, as `plan/` counts them. */
  planned_largest_buffer?: number;
  planned_bytes?: number;
  /** Bytes that the device can give: tried by allocating, or the heap's limit (wasm, cpu). */
  memory_bytes?: number;
}

/**
 * All problems of a configuration, the field to mark with each. Empty means that it can run, as far
 * as the facts go.
 */
export function checkConfig(config: RunConfig, facts: Facts = {}): Problem[] {
  const heads = checkHeads(config.model);
  return [
    ...heads,
    ...checkLayout(config.model),
    ...checkSchedule(config.training),
    ...checkText(config, facts),
    ...(heads.length === 0 ? checkDevice(config, facts) : []),
  ];
}

function checkHeads(m: ModelConfig): Problem[] {
  const problems: Problem[] = [];
  if (m.n_embd % m.n_head !== 0) {
    problems.push({
      field: 'model.n_embd',
      code: 'width_not_divisible_by_heads',
      message: `A width of ${m.n_embd} cannot be shared out evenly among ${m.n_head} heads.`,
      hint: `Set n_embd to ${nearMultiple(m.n_embd, m.n_head)}, or n_head to ${nearDivisor(m.n_embd, m.n_head)}.`,
    });
  } else if (m.layout === 'llama' && (m.n_embd / m.n_head) % 2 !== 0) {
    problems.push({
      field: 'model.n_head',
      code: 'odd_head_dim',
      message: `Each head is ${m.n_embd / m.n_head} wide, and RoPE turns numbers in pairs, so it needs an even width.`,
      hint: `Set n_embd to ${nearMultiple(m.n_embd, 2 * m.n_head)}.`,
    });
  }
  if (m.layout === 'llama' && m.n_kv_head > 0 && m.n_head % m.n_kv_head !== 0) {
    problems.push({
      field: 'model.n_kv_head',
      code: 'heads_not_divisible_by_kv_heads',
      message: `${m.n_head} heads cannot share ${m.n_kv_head} key/value heads evenly.`,
      hint: `Set n_kv_head to ${nearDivisor(m.n_head, m.n_kv_head)}, or to 0 for as many as n_head.`,
    });
  }
  return problems;
}

function checkLayout(m: ModelConfig): Problem[] {
  const problems: Problem[] = [];
  if (m.layout === 'gpt2') {
    const only = (field: FieldPath, set: boolean, name: string, off: string) => {
      if (set)
        problems.push({
          field,
          code: 'needs_llama',
          message: `The GPT-2 layout has no ${name}, and transformers could not open such a model.`,
          hint: `Choose the Llama layout, or set ${field.slice(6)} to ${off}.`,
        });
    };
    only(
      'model.n_kv_head',
      m.n_kv_head !== 0 && m.n_kv_head !== m.n_head,
      'key/value heads of their own',
      '0',
    );
    only('model.qk_norm', m.qk_norm, 'norm on queries and keys', 'false');
    only('model.sliding_window', m.sliding_window > 0, 'sliding window', '0');
  }
  const fits = m.layout === 'gpt2' ? ['gelu_new', 'relu2'] : ['silu', 'relu2'];
  if (!fits.includes(m.activation_function)) {
    const family = m.layout === 'gpt2' ? 'GPT-2' : 'Llama';
    problems.push({
      field: 'model.activation_function',
      code: 'activation_not_in_layout',
      message: `The ${family} layout does not use ${m.activation_function}.`,
      hint: `Set activation_function to ${fits.join(' or ')}.`,
    });
  }
  return problems;
}

function checkSchedule(t: TrainingConfig): Problem[] {
  const problems: Problem[] = [];
  if (t.lr_schedule !== 'constant' && t.min_lr > t.learning_rate) {
    problems.push({
      field: 'training.min_lr',
      code: 'min_lr_above_learning_rate',
      message: `The schedule would end at ${t.min_lr}, above the learning rate of ${t.learning_rate} that it starts from.`,
      hint: `Set min_lr to at most ${t.learning_rate}.`,
    });
  }
  if (t.warmup_iters > t.max_iters) {
    problems.push({
      field: 'training.warmup_iters',
      code: 'warmup_longer_than_run',
      message: `Warm-up takes ${t.warmup_iters} steps, and the run has only ${t.max_iters}.`,
      hint: `Set warmup_iters to at most ${t.max_iters}.`,
    });
  }
  if (t.lr_schedule !== 'constant' && t.lr_decay_iters > 0 && t.lr_decay_iters < t.warmup_iters) {
    problems.push({
      field: 'training.lr_decay_iters',
      code: 'decay_ends_before_warmup',
      message: `The decay would end at step ${t.lr_decay_iters}, before the warm-up does at step ${t.warmup_iters}.`,
      hint: 'Set lr_decay_iters to 0, which means max_iters.',
    });
  }
  return problems;
}

function checkText({ tokenizer, model }: RunConfig, facts: Facts): Problem[] {
  const problems: Problem[] = [];
  const { vocab_size, train_tokens, val_tokens } = facts;
  const needed = model.block_size + 1;
  if (tokenizer.kind === 'bpe' && vocab_size !== undefined && vocab_size < tokenizer.vocab_size) {
    problems.push({
      field: 'tokenizer.vocab_size',
      code: 'vocabulary_too_large',
      message: `This text has only enough repeated pieces for ${vocab_size} tokens, not for ${tokenizer.vocab_size}.`,
      hint: `Set vocab_size to ${Math.max(256, vocab_size)} or less, or bring more text.`,
    });
  }
  if (train_tokens !== undefined && train_tokens < needed) {
    problems.push({
      field: 'model.block_size',
      code: 'text_too_short',
      message: `The training text has ${train_tokens} tokens, and a context of ${model.block_size} needs at least ${needed}.`,
      hint:
        train_tokens > 4
          ? `Set block_size to ${train_tokens - 1} or less, or bring more text.`
          : 'Bring more text.',
    });
  }
  // A window of validation may be shorter than the context, but it takes a token to look from and
  // one to guess.
  if (val_tokens !== undefined && val_tokens < 2) {
    problems.push({
      field: 'data.val_fraction',
      code: 'validation_too_short',
      message: `The validation text has ${val_tokens} tokens, too few to judge the model by.`,
      hint: 'Raise val_fraction, or bring more text.',
    });
  }
  return problems;
}

function checkDevice({ model, training }: RunConfig, facts: Facts): Problem[] {
  const problems: Problem[] = [];
  const { max_binding_size, max_buffer_size, planned_bytes, memory_bytes } = facts;
  const vocab_size = facts.model_vocab_size ?? facts.vocab_size;
  if (max_binding_size !== undefined && vocab_size !== undefined)
    problems.push(...checkBindings(resolveModel(model, vocab_size), training, max_binding_size));
  if (
    max_buffer_size !== undefined &&
    facts.planned_largest_buffer !== undefined &&
    facts.planned_largest_buffer > max_buffer_size
  ) {
    problems.push({
      field: 'training.batch_size',
      code: 'buffer_above_limit',
      message: `The run needs one buffer of ${megabytes(facts.planned_largest_buffer)}, and this device allows ${megabytes(max_buffer_size)}.`,
      hint: 'Lower batch_size and raise gradient_accumulation_steps, or choose a smaller model.',
    });
  }
  if (planned_bytes !== undefined && memory_bytes !== undefined && planned_bytes > memory_bytes) {
    problems.push({
      field: training.batch_size > 1 ? 'training.batch_size' : 'model.n_embd',
      code: 'does_not_fit_device',
      message: `The run needs about ${megabytes(planned_bytes)}, and this device can give ${megabytes(memory_bytes)}.`,
      hint:
        training.batch_size > 1
          ? 'Lower batch_size and raise gradient_accumulation_steps, turn on activation_checkpointing, or choose a smaller model.'
          : 'Lower block_size, n_embd or n_layer.',
    });
  }
  return problems;
}

function checkBindings(model: ResolvedModel, training: TrainingConfig, limit: number): Problem[] {
  const over = largeTensors(model, training, limit).find((t) => t.bytes > limit);
  if (!over) return [];
  const batch = over.per_sequence ? Math.floor((limit * training.batch_size) / over.bytes) : 0;
  return [
    {
      field:
        batch >= 1
          ? 'training.batch_size'
          : over.per_sequence
            ? 'model.block_size'
            : 'model.n_embd',
      code: 'tensor_above_binding_limit',
      message: `One tensor, ${over.name}, would take ${megabytes(over.bytes)}, and this device binds at most ${megabytes(limit)}.`,
      hint:
        batch >= 1
          ? `Set batch_size to ${batch} or less; gradient_accumulation_steps makes up for it.`
          : 'Lower the vocabulary, block_size or n_embd.',
    },
  ];
}

const nearMultiple = (n: number, of: number) => Math.max(of, Math.round(n / of) * of);

function nearDivisor(n: number, wanted: number): number {
  for (let away = 0; away < n; away++) {
    for (const d of [wanted - away, wanted + away]) if (d >= 1 && d <= n && n % d === 0) return d;
  }
  return 1;
}

/** Bytes to read: binary units up to a gigabyte and a half, as GPU limits are powers of two. */
function megabytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib >= 1536
    ? `${(mib / 1024).toFixed(1)} GiB`
    : mib >= 10
      ? `${Math.round(mib)} MiB`
      : `${mib.toFixed(1)} MiB`;
}
