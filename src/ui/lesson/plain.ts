/** Names of fields in words, for people who do not know their keys. */
import { labelOf, type FieldPath } from '../../config/index.ts';

const NAMES: Partial<Record<FieldPath, string>> = {
  'data.corpus': 'Text to learn from',
  'tokenizer.kind': 'Pieces that the text is cut into',
  'tokenizer.vocab_size': 'Number of different pieces',
  'model.n_layer': 'Layers',
  'model.n_head': 'Attention heads in each layer',
  'model.n_embd': 'Width of the model',
  'model.block_size': 'How far the model looks back',
  'model.dropout': 'Share of connections left out at random',
  'training.learning_rate': 'Size of a learning step',
  'training.batch_size': 'Examples in each step',
  'training.max_iters': 'Number of steps',
  'training.warmup_iters': 'Steps until full speed',
  'training.seed': 'Random start',
  'sampling.temperature': 'How daring the writing is',
  'sampling.sample_interval': 'Steps between two samples',
  'sampling.max_new_tokens': 'Length of a sample',
  'sampling.prompts': 'Beginnings of the samples',
};

/** The name of a field without its key. */
export function plainName(path: FieldPath): string {
  const words = labelOf(path).field.replaceAll('_', ' ');
  return NAMES[path] ?? words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a field does, in one line. */
export const plainHelp = (path: FieldPath): string => labelOf(path).does;
