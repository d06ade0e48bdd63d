/** The few options of each section that matter most, in the order shown; the others fold. */
import { fieldPaths, type FieldPath, type Section } from '../../config/index.ts';

const FIRST: Readonly<Record<Section, readonly FieldPath[]>> = {
  data: ['data.corpus', 'data.val_fraction'],
  tokenizer: ['tokenizer.kind', 'tokenizer.vocab_size'],
  model: ['model.layout', 'model.n_layer', 'model.n_head', 'model.n_embd', 'model.block_size'],
  training: [
    'training.max_iters',
    'training.batch_size',
    'training.learning_rate',
    'training.optimizer',
    'training.lr_schedule',
    'training.eval_interval',
  ],
  sampling: ['sampling.sample_interval', 'sampling.max_new_tokens', 'sampling.temperature'],
  runtime: ['runtime.backend', 'runtime.autosave_interval'],
};

/** The fields of a section: those that matter most, and the others in the order of the schema. */
export function fieldsOf(section: Section): { first: readonly FieldPath[]; more: FieldPath[] } {
  const first = FIRST[section];
  const more = fieldPaths().filter(
    (path) => path.startsWith(`${section}.`) && !first.includes(path),
  );
  return { first, more };
}
