/** The feed-forward block and the gradient of its hidden values on the processor. */
import { implement } from '../define.ts';
import { matmulProcessor } from '../matmul/processor.ts';
import { forwardBy, functions, mlpHiddenGrad } from './core.ts';
import { mlp, mlpAdd, mlpBias, mlpBiasAdd } from './mlp.ts';

const forward = forwardBy(matmulProcessor);

implement(mlp, forward);
implement(mlpAdd, forward);
implement(mlpBias, forward);
implement(mlpBiasAdd, forward);
implement(mlpHiddenGrad, ({ dy, weight, before }, { activation }) => ({
  dbefore: matmulProcessor(dy, weight, {
    transpose_b: true,
    derivative: { f: functions[activation], before },
  }),
}));
