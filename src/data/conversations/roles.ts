/** The special tokens of conversations, and which of a brought tokenizer's tokens play their parts. */
import type { Role } from '../../common/index.ts';
import { encodePlain, withSpecialTokens } from '../tokenizer/special.ts';
import type { Tokenizer } from '../types.ts';

/** Fills rows. */
export const PAD = '<|pad|>';
/** Ends a turn of a conversation, and a completion. */
export const END = '<|end|>';
/** Begins a turn. */
export const ROLE_TOKENS: Readonly<Record<Role, string>> = {
  system: '<|system|>',
  user: '<|user|>',
  assistant: '<|assistant|>',
};

/** All tokens that our template needs, in the order in which they are appended. */
const OWN_TOKENS: readonly string[] = [PAD, END, ...Object.values(ROLE_TOKENS)];

/** Names of padding tokens in models made elsewhere; the first one found is used. */
const PAD_NAMES: readonly string[] = [
  PAD,
  '<|endoftext|>',
  '<|finetune_right_pad_id|>',
  '<pad>',
  '[PAD]',
  '<|end_of_text|>',
  '<unk>',
];

/** The tokenizer of a conversation: user text never encodes to special tokens. */
export function chatTokenizer(tokenizer: Tokenizer): Tokenizer {
  const missing = OWN_TOKENS.filter((token) => !tokenizer.special_tokens.has(token));
  return withSpecialTokens(tokenizer, missing);
}

/**
 * A brought chat model's tokenizer, with a padding token that is not the end of a turn. One is
 * appended if the model has none.
 *
 * @param pad_token_id What tokenizer_config.json says; null if it says nothing.
 */
export function withPadding(
  tokenizer: Tokenizer,
  eos_token_id: number,
  pad_token_id: number | null,
): { tokenizer: Tokenizer; pad_token_id: number } {
  if (pad_token_id !== null && pad_token_id !== eos_token_id) return { tokenizer, pad_token_id };
  for (const name of PAD_NAMES) {
    const id = tokenizer.special_tokens.get(name);
    if (id !== undefined && id !== eos_token_id) return { tokenizer, pad_token_id: id };
  }
  return { tokenizer: withSpecialTokens(tokenizer, [PAD]), pad_token_id: tokenizer.vocab_size };
}

/** The same tokenizer for text as people write it, which ends with the end of a turn. */
export function plainTokenizer(tokenizer: Tokenizer, eos_token_id: number): Tokenizer {
  return { ...tokenizer, eos_token_id, encode: (text) => encodePlain(tokenizer, text) };
}

/** Id of a special token that is known to exist. */
export function idOf(tokenizer: Tokenizer, token: string): number {
  const id = tokenizer.special_tokens.get(token);
  if (id === undefined) throw new Error(`The tokenizer has no token ${token}.`);
  return id;
}
