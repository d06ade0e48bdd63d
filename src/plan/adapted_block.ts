/** Activations of a model with adapters (LoRA). */
import type { RecomputeGranularity, ResolvedModel } from '../config/index.ts';
import type { PeftConfig } from '../config/stage/index.ts';
import { type Activation, keptByBlock } from './activations.ts';

export type LoraShape = Pick<PeftConfig, 'r' | 'target_modules'>;

/**
 * What one block with adapters keeps. Outputs of Llama's norms, and the activation before an adapted
 * layer, are computed again in the backward pass; h = x A is kept.
 */
export function adaptedBlock(
  model: ResolvedModel,
  { r, target_modules }: LoraShape,
  granularity: RecomputeGranularity,
): Activation[] {
  const { n_embd: d, n_inner: f } = model;
  const isGpt2 = model.layout === 'gpt2';
  // Selective recomputation has left these out already.
  const keepsNorms = !isGpt2 && granularity !== 'selective';
  // A block that runs again has it when its gradients are computed.
  const keepsActivation = granularity !== 'full' && (isGpt2 || granularity !== 'selective');
  const hasMlp = target_modules !== 'attention';
  // q, k, v are packed side by side, and so are gate and up; each part has an h of its own.
  const ofAttention = target_modules === 'mlp' ? 0 : (isGpt2 ? 1 : 3) + 1;
  const ofMlp = hasMlp ? (isGpt2 ? 1 : 2) + 1 : 0;
  return [
    ...keptByBlock(model, granularity),
    { name: 'norm outputs that are computed again', values: keepsNorms ? -2 * d : 0, row: d },
    {
      name: 'activation that is computed again',
      values: hasMlp && keepsActivation ? -f : 0,
      row: f,
      split: true,
    },
    { name: 'h of adapters', values: (ofAttention + ofMlp) * r, row: r },
  ];
}

/** Whether layers of the feed-forward block have adapters. */
export const adaptsMlp = (adapters: LoraShape | undefined): boolean =>
  adapters !== undefined && adapters.target_modules !== 'attention';
