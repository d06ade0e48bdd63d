/** Rules about the shape of the model and what its layout supports. */
import { ACTIVATIONS_OF, offValue, type LlamaOnly } from '../layout.ts';
import type { ModelConfig } from '../schema.ts';
import type { Problem } from './problem.ts';

export function checkHeads(model: ModelConfig): Problem[] {
  const { layout, n_embd, n_head, n_kv_head, head_dim } = model;
  const problems: Problem[] = [];
  if (layout === 'llama' && head_dim > 0) {
    if (head_dim % 2 !== 0) problems.push(oddHead(head_dim, 'model.head_dim', head_dim + 1));
  } else if (n_embd % n_head !== 0) {
    problems.push({
      field: 'model.n_embd',
      code: 'width_not_divisible_by_heads',
      message: `A width of ${n_embd} cannot be shared out evenly among ${n_head} heads.`,
      hint:
        `Set n_embd to ${nearestMultiple(n_embd, n_head)}, ` +
        `or n_head to ${nearestDivisor(n_embd, n_head)}.`,
      fix: { field: 'model.n_embd', value: nearestMultiple(n_embd, n_head) },
    });
  } else if (layout === 'llama' && (n_embd / n_head) % 2 !== 0) {
    const wider = nearestMultiple(n_embd, 2 * n_head);
    problems.push(oddHead(n_embd / n_head, 'model.n_head', wider));
  }
  if (layout === 'llama' && n_kv_head > 0 && n_head % n_kv_head !== 0) {
    problems.push({
      field: 'model.n_kv_head',
      code: 'heads_not_divisible_by_kv_heads',
      message: `${n_head} heads cannot share ${n_kv_head} key/value heads evenly.`,
      hint: `Set n_kv_head to ${nearestDivisor(n_head, n_kv_head)}, or to 0 for as many as n_head.`,
      fix: { field: 'model.n_kv_head', value: nearestDivisor(n_head, n_kv_head) },
    });
  }
  return problems;
}

/** `even` is the value of head_dim, or of n_embd, that makes the width of a head even. */
function oddHead(width: number, field: 'model.head_dim' | 'model.n_head', even: number): Problem {
  const changed = field === 'model.head_dim' ? field : 'model.n_embd';
  return {
    field,
    code: 'odd_head_dim',
    message:
      `Each head is ${width} wide, ` +
      'and RoPE rotates pairs of dimensions, so it needs an even width.',
    hint: `Set ${changed.slice('model.'.length)} to ${even}.`,
    fix: { field: changed, value: even },
  };
}

export function checkLayout(model: ModelConfig): Problem[] {
  const isGpt2 = model.layout === 'gpt2';
  const problems = isGpt2 ? checkGpt2(model) : [];
  const supported = ACTIVATIONS_OF[model.layout];
  if (!supported.some((name) => name === model.activation_function)) {
    problems.push({
      field: 'model.activation_function',
      code: 'activation_not_in_layout',
      message: `The ${isGpt2 ? 'GPT-2' : 'Llama'} layout does not use ${model.activation_function}.`,
      hint: `Set activation_function to ${supported.join(' or ')}.`,
      fix: { field: 'model.activation_function', value: supported[0] },
    });
  }
  return problems;
}

/** Options of the Llama layout that the GPT-2 layout does not have. */
function checkGpt2(model: ModelConfig): Problem[] {
  const problems: Problem[] = [];
  if (model.n_kv_head !== 0 && model.n_kv_head !== model.n_head)
    problems.push(needsLlama('model.n_kv_head', 'separate number of key/value heads'));
  if (model.qk_norm) problems.push(needsLlama('model.qk_norm', 'norm on queries and keys'));
  if (model.sliding_window > 0) problems.push(needsLlama('model.sliding_window', 'sliding window'));
  if (model.head_dim !== 0 && model.head_dim * model.n_head !== model.n_embd)
    problems.push(needsLlama('model.head_dim', 'head width of its own'));
  if (model.qkv_bias) problems.push(needsLlama('model.qkv_bias', 'switch for these biases alone'));
  if (model.rope_factor !== 1) problems.push(needsLlama('model.rope_factor', 'RoPE'));
  return problems;
}

function needsLlama(field: LlamaOnly, feature: string): Problem {
  const off = offValue(field);
  const name = field.slice('model.'.length);
  return {
    field,
    code: 'needs_llama',
    message: `The GPT-2 layout has no ${feature}, and transformers could not open such a model.`,
    hint: `Choose the Llama layout, or set ${name} to ${String(off)}.`,
    fix: { field, value: off },
  };
}

/** The positive multiple of `factor` nearest to `value`. */
const nearestMultiple = (value: number, factor: number): number =>
  Math.max(factor, Math.round(value / factor) * factor);

/** The divisor of `value` nearest to `wanted`; the smaller one of two equally near. */
function nearestDivisor(value: number, wanted: number): number {
  const divides = (candidate: number): boolean =>
    candidate >= 1 && candidate <= value && value % candidate === 0;
  for (let distance = 0; distance < value; distance++) {
    if (divides(wanted - distance)) return wanted - distance;
    if (divides(wanted + distance)) return wanted + distance;
  }
  return 1;
}
