/**
 * Cross-entropy and its gradient on the processor (assembly/cross_entropy.ts), over the whole
 * vocabulary or a chunk of it.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { implement, type Tensors } from '../define.ts';
import { dims2 } from '../host.ts';
import { crossEntropy, crossEntropyGrad } from './cross_entropy.ts';
import type { LossGradInputs } from './kernels.ts';

type Outputs = Tensors<'loss' | 'lse' | 'probability' | 'correct'>;

const outputs = (n: number): Outputs => ({
  loss: output([n]),
  lse: output([n]),
  probability: output([n]),
  correct: output([n]),
});
const listOf = ({ loss, lse, probability, correct }: Outputs): Tensor[] => [
  loss,
  lse,
  probability,
  correct,
];

const sizesOf = (logits: Tensor): Param[] => {
  const [n, columns] = dims2(logits.shape);
  return [
    ['i32', n],
    ['i32', columns],
  ];
};

/** logits [N, V], targets [N] int32 -> the outputs of `cross_entropy`, each [N]. */
function crossEntropyProcessor(logits: Tensor, targets: Tensor): Outputs {
  const [n] = dims2(logits.shape);
  const out = outputs(n);
  runOnProcessor({
    kernel: 'cross_entropy',
    writes: listOf(out),
    reads: [logits, targets],
    params: sizesOf(logits),
  });
  return out;
}

/**
 * Adds the logits [N, columns] of the tokens from `first` on to the row states, which the chunk at 0
 * initializes (`newRowStates`). Chunks must come in the order of the vocabulary.
 */
export function crossEntropyChunkProcessor(
  logits: Tensor,
  targets: Tensor,
  states: Tensor,
  first: number,
): void {
  runOnProcessor({
    kernel: 'cross_entropy_chunk',
    writes: first === 0 ? [states] : [],
    updates: first === 0 ? [] : [states],
    reads: [logits, targets],
    params: [...sizesOf(logits), ['i32', first]],
  });
}

/** The outputs of `cross_entropy` from the row states after the last chunk. */
export function crossEntropyFinishProcessor(states: Tensor, targets: Tensor): Outputs {
  const [n] = dims2(states.shape);
  const out = outputs(n);
  runOnProcessor({
    kernel: 'cross_entropy_finish',
    writes: listOf(out),
    reads: [states, targets],
    params: [['i32', n]],
  });
  return out;
}

/** Overwrites the logits with their gradient and returns them. Column 0 is token `first`. */
export function crossEntropyGradProcessor(
  { logits, targets, lse, dloss }: Tensors<LossGradInputs>,
  first = 0,
): Tensor {
  runOnProcessor({
    kernel: 'cross_entropy_gradient',
    writes: [],
    updates: [logits],
    reads: [targets, lse, dloss],
    params: [...sizesOf(logits), ['i32', first]],
  });
  return logits;
}

implement(crossEntropy, ({ logits, targets }) => crossEntropyProcessor(logits, targets));
implement(crossEntropyGrad, (inputs) => ({ dlogits: crossEntropyGradProcessor(inputs) }));
