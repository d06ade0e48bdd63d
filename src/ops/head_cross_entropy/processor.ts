/** Head and cross-entropy on the processor. */
import {
  crossEntropyChunkProcessor,
  crossEntropyFinishProcessor,
  crossEntropyGradProcessor,
} from '../cross_entropy/processor.ts';
import { implement } from '../define.ts';
import { matmulProcessor } from '../matmul/processor.ts';
import {
  headCrossEntropy,
  headCrossEntropyGrad,
  headCrossEntropyGradX,
} from './head_cross_entropy.ts';
import {
  headCrossEntropyBy,
  headCrossEntropyGradBy,
  headCrossEntropyGradXBy,
  type HeadKernels,
} from './kernels.ts';

const kernels: HeadKernels = {
  matmul: matmulProcessor,
  addChunk: crossEntropyChunkProcessor,
  finish: crossEntropyFinishProcessor,
  gradient: crossEntropyGradProcessor,
};

implement(headCrossEntropy, (inputs, attrs) => headCrossEntropyBy(kernels, inputs, attrs));
implement(headCrossEntropyGrad, (inputs, { chunk }, into) =>
  headCrossEntropyGradBy(kernels, inputs, chunk, into.weight),
);
implement(headCrossEntropyGradX, (inputs, { chunk }) =>
  headCrossEntropyGradXBy(kernels, inputs, chunk),
);
