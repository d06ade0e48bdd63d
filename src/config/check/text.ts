/** Rules that need to know the length of the text in tokens. */
import type { RunConfig } from '../schema.ts';
import { tokens, type Facts, type Problem } from './problem.ts';

/** The smallest context that the schema allows. */
const MIN_BLOCK_SIZE = 4;

export function checkText(config: RunConfig, facts: Facts): Problem[] {
  const checks = [
    checkTraining(config.model.block_size, facts.train_tokens),
    checkValidation(facts.val_tokens),
  ];
  return checks.filter((problem) => problem !== null);
}

function checkTraining(block_size: number, train_tokens?: number): Problem | null {
  // Inputs and targets of one context are block_size + 1 consecutive tokens.
  const needed = block_size + 1;
  if (train_tokens === undefined || train_tokens >= needed) return null;
  return {
    field: 'model.block_size',
    code: 'text_too_short',
    message: `The training text has ${tokens(train_tokens)}, and a context of ${block_size} needs at least ${needed}.`,
    ...remedyForShortText(train_tokens - 1),
  };
}

/** `longest`: the longest context that the text has room for. */
function remedyForShortText(longest: number): Pick<Problem, 'hint' | 'fix'> {
  if (longest < MIN_BLOCK_SIZE) return { hint: 'Add more text.' };
  return {
    hint: `Set block_size to ${longest} or less, or add more text.`,
    fix: { field: 'model.block_size', value: longest },
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
