/** What a run will cost, from its configuration and the size of its vocabulary. */
import {
  largeTensors,
  resolveModel,
  type CorpusName,
  type LargeTensor,
  type RunConfig,
} from '../config/index.ts';
import { flopsPerToken } from './flops.ts';
import { type MemoryFacts, planMemory, type MemoryPlan, type PlannedParameter } from './memory.ts';
import { GPT2_SMALL_PARAMETERS, countParameters, type ParameterCount } from './parameters.ts';

export interface RunPlan {
  /** Parameters of the model. */
  n_params: number;
  /** Parameters that train. */
  n_trainable: number;
  parameters: ParameterCount;
  /** Parameters relative to the 124 million of GPT-2 small. */
  gpt2_small_share: number;
  /** Of the forward and the backward pass. */
  flops_per_token: number;
  tokens_per_step: number;
  flops_per_step: number;
  memory: MemoryPlan;
  /** The largest tensor that one dispatch binds. */
  largest_binding: LargeTensor;
}

/** What a plan needs beyond the configuration. */
export interface PlanFacts extends MemoryFacts {
  /** Size of the tokenizer's vocabulary, or `guessVocab` before the tokenizer exists. */
  vocab_size: number;
}

/** `planRun`, or that of a stage (`stage.ts`). */
export type Planner = (config: RunConfig, facts: PlanFacts) => RunPlan;

/** Plans a run. The largest binding of the device decides how many logits exist at a time. */
export function planRun(config: RunConfig, facts: PlanFacts): RunPlan {
  const { training } = config;
  const model = resolveModel(config.model, facts.vocab_size);
  const parameters = countParameters(model);
  const trainable = facts.parameters?.trainable;
  const tokens_per_step =
    training.batch_size * training.gradient_accumulation_steps * model.block_size;
  const flops_per_token = flopsPerToken(model);
  const tensors = largeTensors(model, training, facts.max_binding_size);
  return {
    n_params: parameters.total,
    n_trainable: trainable ? countValues(trainable) : parameters.total,
    parameters,
    gpt2_small_share: parameters.total / GPT2_SMALL_PARAMETERS,
    flops_per_token,
    tokens_per_step,
    flops_per_step: flops_per_token * tokens_per_step,
    memory: planMemory(model, config, facts),
    largest_binding: tensors.reduce((a, b) => (b.bytes > a.bytes ? b : a)),
  };
}

const countValues = (parameters: readonly PlannedParameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

/** Distinct characters in the training split of the built-in texts. A test counts them. */
const CHARACTERS: Record<CorpusName, number> = {
  names: 28,
  moby_dick: 83,
  kjv: 63,
  sotu: 98,
  tiny_tales: 51,
  arithmetic: 16,
  own: 96,
};

/**
 * The vocabulary size before the text has been read: the configured size for BPE, 256 bytes and the
 * end of text for bytes, and the number of distinct characters for characters.
 */
export function guessVocab({ tokenizer, data }: RunConfig): number {
  switch (tokenizer.kind) {
    case 'bpe':
    case 'imported':
      return tokenizer.vocab_size;
    case 'byte':
      return 257;
    case 'char':
      return CHARACTERS[data.corpus];
    default:
      return tokenizer.kind satisfies never;
  }
}
