/** A micro-batch's sums and loss weights on the processor (assembly/sums.ts). */
import { output, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { scaledWeights } from './scaled_weights.ts';
import { stepSums } from './step_sums.ts';

implement(stepSums, ({ weights, loss, correct }, _, { sums: into }) => {
  const sums = into ?? output([2]);
  runOnProcessor({
    kernel: 'step_sums',
    writes: into ? [] : [sums],
    updates: into ? [into] : [],
    reads: [weights, loss, correct],
    params: [
      ['i32', weights.size],
      ['i32', into ? 1 : 0],
    ],
  });
  return { sums };
});

implement(scaledWeights, ({ weights, scale }) => {
  const scaled = output(weights.shape);
  runOnProcessor({
    kernel: 'scaled_weights',
    writes: [scaled],
    reads: [weights, scale],
    params: [['i32', weights.size]],
  });
  return { scaled };
});
