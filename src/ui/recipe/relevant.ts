/** Which options apply to a configuration. The others are hidden. */
import type { FieldPath, RunConfig } from '../../config/index.ts';

const isLlama = ({ model }: RunConfig): boolean => model.layout === 'llama';
const decaysLearningRate = ({ training }: RunConfig): boolean =>
  training.lr_schedule !== 'constant';
const usesAdam = ({ training }: RunConfig): boolean => training.optimizer !== 'sgd';

/** Options that apply only under a condition. */
const CONDITIONS: Partial<Record<FieldPath, (config: RunConfig) => boolean>> = {
  'data.corpus_seed': ({ data }) => data.corpus === 'tiny_tales' || data.corpus === 'arithmetic',
  'tokenizer.vocab_size': ({ tokenizer }) => tokenizer.kind === 'bpe',
  'model.n_kv_head': isLlama,
  'model.head_dim': isLlama,
  'model.qkv_bias': isLlama,
  'model.rope_theta': isLlama,
  'model.rope_factor': isLlama,
  'model.qk_norm': isLlama,
  'model.sliding_window': isLlama,
  'model.bias': (config) => !isLlama(config),
  'training.min_lr': decaysLearningRate,
  'training.lr_decay_iters': decaysLearningRate,
  'training.wsd_decay_fraction': ({ training }) => training.lr_schedule === 'wsd',
  'training.beta1': usesAdam,
  'training.beta2': usesAdam,
  'training.epsilon': usesAdam,
  'training.momentum': ({ training }) =>
    training.optimizer === 'sgd' || training.optimizer === 'muon',
  'training.muon_learning_rate': ({ training }) => training.optimizer === 'muon',
  'training.recompute_granularity': ({ training }) => training.activation_checkpointing,
  'runtime.subgroup_matrices': ({ training }) => training.mixed_precision === 'fp16',
};

export const isRelevant = (path: FieldPath, config: RunConfig): boolean =>
  CONDITIONS[path]?.(config) ?? true;
