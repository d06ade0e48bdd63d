/** What a run will cost, from its configuration and the size of its vocabulary. */
import {
  largeTensors,
  resolveModel,
  type CorpusName,
  type LargeTensor,
  type RunConfig,
} from '../config/index.ts';
import { flopsPerToken } from './flops.ts';
import { planMemory, type MemoryPlan } from './memory.ts';
import { GPT2_SMALL_PARAMETERS, countParameters, type ParameterCount } from './parameters.ts';

export interface RunPlan {
  n_params: number;
  parameters: ParameterCount;
  /** Share of GPT-2 small's 124 million. */
  gpt2_small_share: number;
  /** Forward and backward. */
  flops_per_token: number;
  tokens_per_step: number;
  flops_per_step: number;
  memory: MemoryPlan;
  /** The largest tensor that one dispatch binds. */
  largest_binding: LargeTensor;
}

/**
 * `vocab_size` is the tokenizer's, once known; until then `guessVocab` gives one. The largest
 * binding, where the device is known, decides how many logits exist at a time.
 */
export function planRun(
  config: RunConfig,
  facts: { vocab_size: number; max_binding_size?: number | undefined },
): RunPlan {
  const model = resolveModel(config.model, facts.vocab_size);
  const parameters = countParameters(model);
  const tokens_per_step =
    config.training.batch_size * config.training.gradient_accumulation_steps * model.block_size;
  const flops_per_token = flopsPerToken(model);
  return {
    n_params: parameters.total,
    parameters,
    gpt2_small_share: parameters.total / GPT2_SMALL_PARAMETERS,
    flops_per_token,
    tokens_per_step,
    flops_per_step: flops_per_token * tokens_per_step,
    memory: planMemory(model, config, facts.max_binding_size),
    largest_binding: largeTensors(model, config.training, facts.max_binding_size).reduce((a, b) =>
      b.bytes > a.bytes ? b : a,
    ),
  };
}

/** Different characters of the built-in texts, in their training part: a test counts them. */
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
 * Vocabulary before the text has been read: what was asked for (BPE), 256 bytes and the end of
 * text, or the characters.
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
