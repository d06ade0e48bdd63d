/** Rules that need to know the text: its vocabulary and its length in tokens. */
import type { RunConfig } from '../schema.ts';
import { tokens, type Facts, type Problem } from './problem.ts';

/** The smallest vocabulary of BPE: one token for each byte. */
const BYTES = 256;
/** The smallest context that the schema allows. */
const MIN_BLOCK_SIZE = 4;

export function checkText(config: RunConfig, facts: Facts): Problem[] {
  const checks = [
    checkVocabulary(config, facts.vocab_size),
    checkTraining(config.model.block_size, facts.train_tokens),
    checkValidation(facts.val_tokens),
  ];
  return checks.filter((problem) => problem !== null);
}

function checkVocabulary({ tokenizer }: RunConfig, vocab_size?: number): Problem | null {
  if (tokenizer.kind !== 'bpe' || vocab_size === undefined || vocab_size >= tokenizer.vocab_size)
    return null;
  return {
    field: 'tokenizer.vocab_size',
    code: 'vocabulary_too_large',
    message: `This text has only enough repeated pieces for ${vocab_size} tokens, not for ${tokenizer.vocab_size}.`,
    hint: `Set vocab_size to ${Math.max(BYTES, vocab_size)} or less, or add more text.`,
  };
}

function checkTraining(block_size: number, train_tokens?: number): Problem | null {
  // Inputs and targets of one context are block_size + 1 consecutive tokens.
  const needed = block_size + 1;
  if (train_tokens === undefined || train_tokens >= needed) return null;
  return {
    field: 'model.block_size',
    code: 'text_too_short',
    message: `The training text has ${tokens(train_tokens)}, and a context of ${block_size} needs at least ${needed}.`,
    hint:
      train_tokens > MIN_BLOCK_SIZE
        ? `Set block_size to ${train_tokens - 1} or less, or add more text.`
        : 'Add more text.',
  };
}

function checkValidation(val_tokens?: number): Problem | null {
  // A validation window may be shorter than the context, but needs one input and one target.
  if (val_tokens === undefined || val_tokens >= 2) return null;
  const has = val_tokens === 0 ? 'has no tokens' : `has only ${tokens(val_tokens)}`;
  return {
    field: 'data.val_fraction',
    code: 'validation_too_short',
    message: `The validation text ${has}, too few to evaluate the model.`,
    hint: 'Raise val_fraction, or add more text.',
  };
}
