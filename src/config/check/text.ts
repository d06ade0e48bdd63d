/** Rules that need to know the length of the text in tokens. */
import type { RunConfig } from '../schema.ts';
import { tokens, type Facts, type Problem } from './problem.ts';

/** The smallest context that the schema allows. */
const MIN_BLOCK_SIZE = 4;

export function checkText(config: RunConfig, facts: Facts): Problem[] {
  const checks = [checkTraining(config.model.block_size, facts), checkValidation(facts)];
  return checks.filter((problem) => problem !== null);
}

function checkTraining(block_size: number, facts: Facts): Problem | null {
  const { train_tokens } = facts;
  // Inputs and targets of one context are block_size + 1 consecutive tokens.
  const needed = block_size + 1;
  if (train_tokens === undefined || train_tokens >= needed) return null;
  return {
    field: 'model.block_size',
    code: 'text_too_short',
    message:
      `The training text has ${tokens(train_tokens)}, and a context of ${block_size} ` +
      `needs at least ${needed}.${repeatsRemoved(facts)}`,
    ...remedyForShortText(train_tokens - 1, facts),
  };
}

/** `longest`: the longest context that the text has room for. */
function remedyForShortText(longest: number, facts: Facts): Pick<Problem, 'hint' | 'fix'> {
  if (longest < MIN_BLOCK_SIZE)
    return { hint: alternatives([...keepRepeats(facts), 'add more text']) };
  const shorter = `set block_size to ${longest} or less`;
  return {
    hint: alternatives([...keepRepeats(facts), shorter, 'add more text']),
    fix: { field: 'model.block_size', value: longest },
  };
}

function checkValidation(facts: Facts): Problem | null {
  const { val_tokens } = facts;
  // A validation window may be shorter than the context, but needs one input and one target.
  if (val_tokens === undefined || val_tokens >= 2) return null;
  const has = val_tokens === 0 ? 'has no tokens' : `has only ${tokens(val_tokens)}`;
  return {
    field: 'data.val_fraction',
    code: 'validation_too_short',
    message: `The validation text ${has}, too few to evaluate the model.${repeatsRemoved(facts)}`,
    hint: alternatives([...keepRepeats(facts), 'raise val_fraction', 'add more text']),
  };
}

/** Says why there is less text than the user brought. */
function repeatsRemoved({ duplicates_removed: removed = 0 }: Facts): string {
  if (removed === 0) return '';
  return ` ${removed.toLocaleString('en')} ${removed === 1 ? 'repeat was' : 'repeats were'} removed.`;
}

const keepRepeats = ({ duplicates_removed = 0 }: Facts): string[] =>
  duplicates_removed > 0 ? ['keep repeats in the data section'] : [];

/** "Do this, do that, or do something else." */
function alternatives(options: readonly string[]): string {
  const last = options.at(-1) ?? '';
  const others = options.slice(0, -1).join(', ');
  const sentence = others === '' ? last : `${others}, or ${last}`;
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}
