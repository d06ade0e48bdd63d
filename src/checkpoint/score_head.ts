/**
 * Reward models as transformers' `...ForSequenceClassification`: the backbone and `score.weight`
 * [1, hidden] without a language head, pooled at the rightmost token that is not padding.
 */
import type { ResolvedModel } from '../config/index.ts';
import type { CheckpointState, ObjectiveTensor } from './checkpoint_state.ts';
import { CheckpointError } from './error.ts';
import { unsupported } from './hf_schema.ts';
import { isRecord, type JsonRecord } from './json.ts';
import { readTensor, type TensorSource, type TensorView } from './safetensors.ts';

export const SCORE = 'score.weight';
const HEAD = 'lm_head.weight';

type Tensors = ReadonlyMap<string, ObjectiveTensor>;

/** Whether a checkpoint is one of a reward model, which `scoredConfig` describes. */
export function isScored({ stage, lineage, objective_tensors }: CheckpointState): boolean {
  const objective = stage?.objective ?? lineage?.objective;
  return objective === 'reward' && (objective_tensors?.has(SCORE) ?? false);
}

/** config.json of a causal model as that of a reward model with one label. */
export function scoredConfig(
  config: Record<string, unknown>,
  pad_token_id: number | null,
): Record<string, unknown> {
  const { architectures } = config;
  const causal: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  const name = String(causal).replace(/(LMHeadModel|ForCausalLM)$/, 'ForSequenceClassification');
  return {
    ...config,
    architectures: [name],
    id2label: { '0': 'LABEL_0' },
    label2id: { LABEL_0: 0 },
    pad_token_id,
  };
}

/** Tensors of model.safetensors: those of the causal model without its head, and the score. */
export function scoredTensors(
  tensors: readonly TensorSource[],
  extra: Tensors,
): readonly TensorSource[] {
  const score = extra.get(SCORE);
  if (!score) return tensors;
  const write = (out: Float32Array): void => out.set(score.data);
  const row = { name: SCORE, shape: [1, score.data.length], write };
  return [...tensors.filter(({ name }) => name !== HEAD), row];
}

/** The objective's tensors, with an untied language head, which the model's file does not have. */
export function withLanguageHead(
  { parameters, model }: Pick<CheckpointState, 'parameters' | 'model'>,
  extra: Tensors,
): Tensors {
  const head = parameters.get(HEAD);
  if (!head) return extra;
  return new Map([...extra, [HEAD, { shape: [model.vocab_size, model.n_embd], data: head }]]);
}

/** Whether config.json is that of a reward model. Throws `unsupported_model` for a classifier. */
export function describesScores(json: unknown): boolean {
  if (!isRecord(json) || !Array.isArray(json.architectures)) return false;
  if (!json.architectures.some((name) => String(name).endsWith('ForSequenceClassification'))) {
    return false;
  }
  const labels = labelCount(json);
  if (labels !== 1) throw unsupported(`sorts texts into ${labels} classes`);
  return true;
}

function labelCount({ id2label, num_labels }: JsonRecord): number {
  if (typeof num_labels === 'number') return num_labels;
  return isRecord(id2label) ? Object.keys(id2label).length : 2;
}

export interface ScoredWeights {
  /** The tensors of the backbone. */
  backbone: TensorView[];
  score: ObjectiveTensor;
}

/** Throws `missing_tensor` or `shape_mismatch`. */
export function splitScore(tensors: readonly TensorView[], model: ResolvedModel): ScoredWeights {
  const view = tensors.find(({ name }) => name === SCORE);
  if (!view) {
    throw new CheckpointError(
      'missing_tensor',
      'The reward model has no score.weight.',
      'Bring all files of the folder.',
    );
  }
  if (view.shape.join() !== `1,${model.n_embd}`) {
    throw new CheckpointError(
      'shape_mismatch',
      `score.weight has the shape [${view.shape.join(', ')}], but the model needs [1, ${model.n_embd}].`,
      'Check that config.json belongs to these weights.',
    );
  }
  return {
    backbone: tensors.filter((one) => one !== view),
    score: { shape: [model.n_embd, 1], data: readTensor(view) },
  };
}

/**
 * Moves an untied language head from the objective's tensors, where `withLanguageHead` keeps it, to
 * the parameters. Throws `missing_tensor`.
 */
export function takeLanguageHead(
  model: ResolvedModel,
  parameters: Map<string, Float32Array>,
  extra: Map<string, ObjectiveTensor>,
): void {
  if (model.tie_word_embeddings) return;
  const head = extra.get(HEAD);
  if (!head) {
    throw new CheckpointError(
      'missing_tensor',
      `The reward model has no ${HEAD} in objective.safetensors.`,
      'Bring all files of the folder.',
    );
  }
  parameters.set(HEAD, head.data);
  extra.delete(HEAD);
}
