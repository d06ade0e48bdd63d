/** From token ids to the last hidden states: embedding and blocks. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { embedding, positionEmbedding } from '../ops/index.ts';
import { attentionBranch } from './attention.ts';
import { drop, EMBEDDING_SITE } from './dropout.ts';
import { mlpBranch } from './feed_forward.ts';
import type { Forward } from './forward.ts';
import { embeddingName, isGpt2 } from './layout.ts';
import type { Tape } from './tape.ts';

/** The last hidden states, before the final norm [tokens, n_embd]. */
export function hiddenStates(forward: Forward): Tensor {
  const computed = forward.hidden?.get(forward.prefix ?? '');
  if (computed) return computed;
  return runBlocks(forward, embedTokens(forward), { start: 0, end: forward.model.n_layer });
}

/** Blocks from `start` up to, but not including, `end`. */
export interface BlockRange {
  start: number;
  end: number;
}

/** The blocks of a range, one after the other: [tokens, n_embd]. Releases `x`, their input. */
export function runBlocks(forward: Forward, x: Tensor, { start, end }: BlockRange): Tensor {
  const { tape } = forward;
  // Full recomputation: blocks run again in the backward pass instead of keeping activations.
  const isCheckpoint = forward.recompute_granularity === 'full';
  let hidden = x;
  for (let layer = start; layer < end; layer++) {
    const y = isCheckpoint
      ? tape.checkpoint(hidden, (inner, input) => block(onTape(forward, inner), layer, input))
      : block(forward, layer, hidden);
    tape.release(hidden);
    hidden = y;
  }
  return hidden;
}

/** Token (and, in GPT-2, position) embedding with dropout, a segment: [tokens, n_embd]. */
export function embedTokens(forward: Forward): Tensor {
  return forward.tape.segment(() => embeddings(forward));
}

function embeddings(forward: Forward): Tensor {
  const { tape, inputs, weights, model, tensor_parallel } = forward;
  if (tensor_parallel) return drop(forward, tensor_parallel.embed(forward), EMBEDDING_SITE);
  const tokens = {
    weight: weights.get(embeddingName(model)),
    ids: inputs.get('ids'),
    sorted: inputs.get('ids_sorted'),
    starts: inputs.get('ids_starts'),
  };
  if (!isGpt2(model)) {
    return drop(forward, tape.apply(embedding, tokens, {}).y, EMBEDDING_SITE);
  }
  const positions = {
    position_weight: weights.get('transformer.wpe.weight'),
    positions: inputs.get('positions'),
    positions_sorted: inputs.get('positions_sorted'),
    positions_starts: inputs.get('positions_starts'),
  };
  const { y } = tape.apply(positionEmbedding, { ...tokens, ...positions }, {});
  return drop(forward, y, EMBEDDING_SITE);
}

/** The same pass, recorded by another tape. */
function onTape(forward: Forward, tape: Tape): Forward {
  const { weights } = forward;
  return { ...forward, tape, weights: weights.onTape?.(tape) ?? weights };
}

/** One transformer block: x + attention(norm(x)), then x + mlp(norm(x)). */
function block(forward: Forward, layer: number, x: Tensor): Tensor {
  const { tape } = forward;
  const middle = tape.segment(() => attentionBranch(forward, layer, x, x));
  const y = tape.segment(() => mlpBranch(forward, layer, middle, middle));
  tape.release(middle);
  return y;
}
