/** The model of a checkpoint of ours, whose config.json and RunConfig must agree. */
import {
  architectureFields,
  resolveModel,
  type ModelConfig,
  type ResolvedModel,
} from '../config/index.ts';
import { CheckpointError } from './error.ts';
import type { ImportedModel } from './hf_import.ts';

/**
 * Returns the model of the RunConfig, which has fields that config.json cannot express, such as a
 * GPT-2 without biases. Throws `config_mismatch` if the two files describe different models.
 */
export function savedModel(config: ModelConfig, { model: other }: ImportedModel): ResolvedModel {
  const model = resolveModel(config, other.vocab_size);
  const differs = architectureFields(model.layout).find((name) => model[name] !== other[name]);
  if (differs === undefined) return model;
  throw new CheckpointError(
    'config_mismatch',
    `config.json and training_state.json disagree on ${differs} (${other[differs]} and ${model[differs]}).`,
    'Remove training_state.json to use only config.json.',
  );
}
