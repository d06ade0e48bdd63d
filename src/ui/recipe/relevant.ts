/** Which options mean something in a configuration; the others stay out of the way. */
import type { FieldPath, RunConfig } from '../../config/index.ts';

const llama = ({ model }: RunConfig): boolean => model.layout === 'llama';
const decays = ({ training }: RunConfig): boolean => training.lr_schedule !== 'constant';
const adaptive = ({ training }: RunConfig): boolean => training.optimizer !== 'sgd';

/** Options that are not always of use. */
const CONDITIONS: Partial<Record<FieldPath, (config: RunConfig) => boolean>> = {
  'data.corpus_seed': ({ data }) => data.corpus === 'tiny_tales' || data.corpus === 'arithmetic',
  'tokenizer.vocab_size': ({ tokenizer }) => tokenizer.kind === 'bpe',
  'model.n_kv_head': llama,
  'model.rope_theta': llama,
  'model.qk_norm': llama,
  'model.sliding_window': llama,
  'model.bias': (config) => !llama(config),
  'training.min_lr': decays,
  'training.lr_decay_iters': decays,
  'training.wsd_decay_fraction': ({ training }) => training.lr_schedule === 'wsd',
  'training.beta1': adaptive,
  'training.beta2': adaptive,
  'training.epsilon': adaptive,
  'training.momentum': ({ training }) =>
    training.optimizer === 'sgd' || training.optimizer === 'muon',
  'training.muon_learning_rate': ({ training }) => training.optimizer === 'muon',
  'runtime.subgroup_matrices': ({ training }) => training.mixed_precision === 'fp16',
};

export const isRelevant = (path: FieldPath, config: RunConfig): boolean =>
  CONDITIONS[path]?.(config) ?? true;
