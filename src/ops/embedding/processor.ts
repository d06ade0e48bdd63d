/** The embedding and its gradient on the processor (assembly/embedding.ts). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { dims2 } from '../host.ts';
import { embedding, embeddingGrad } from './embedding.ts';
import { positionEmbedding } from './position_embedding.ts';

/**
 * y [N, d]: a row of the table for each id, plus a row of a second table for its position if there
 * is one. Without it, rows of negative ids are zeros.
 */
export function embeddingProcessor(
  weight: Tensor,
  ids: Tensor,
  learned?: { weight: Tensor; positions: Tensor },
): Tensor {
  const [, d] = dims2(weight.shape);
  const y = output([ids.size, d]);
  runOnProcessor({
    kernel: 'embedding',
    writes: [y],
    reads: [weight, ids, learned?.weight, learned?.positions],
    params: [
      ['i32', ids.size],
      ['i32', d],
    ],
  });
  return y;
}

/** weight [V, d], or the gradient added to `into`. */
function embeddingGradProcessor(
  { dy, sorted, starts }: Record<'dy' | 'sorted' | 'starts', Tensor>,
  into: Tensor | undefined,
): Tensor {
  const [n, d] = dims2(dy.shape);
  const vocab_size = starts.size - 1;
  const weight = into ?? output([vocab_size, d]);
  runOnProcessor({
    kernel: 'embedding_gradient',
    writes: into ? [] : [weight],
    updates: into ? [into] : [],
    reads: [dy, sorted, starts],
    params: [
      ['i32', vocab_size],
      ['i32', d],
      ['i32', n],
      ['i32', into ? 1 : 0],
    ],
  });
  return weight;
}

implement(embedding, ({ weight, ids }) => ({ y: embeddingProcessor(weight, ids) }));
implement(positionEmbedding, ({ weight, ids, position_weight, positions }) => ({
  y: embeddingProcessor(weight, ids, { weight: position_weight, positions }),
}));
implement(embeddingGrad, (inputs, _, into) => ({
  weight: embeddingGradProcessor(inputs, into.weight),
}));
