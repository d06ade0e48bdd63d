/** Linear layers and their gradients on the processor. */
import { implement } from '../define.ts';
import { matmulProcessor } from '../matmul/processor.ts';
import { linear, linearAdd, linearBias, linearBiasAdd } from './linear.ts';
import { gradientsBy, linearBiasGrad } from './linear_grad.ts';

implement(linear, ({ x, weight }) => ({ y: matmulProcessor(x, weight) }));
implement(linearBias, ({ x, weight, bias }) => ({ y: matmulProcessor(x, weight, { bias }) }));
implement(linearAdd, ({ x, weight, residual }) => ({
  y: matmulProcessor(x, weight, { residual }),
}));
implement(linearBiasAdd, ({ x, weight, bias, residual }) => ({
  y: matmulProcessor(x, weight, { bias, residual }),
}));
implement(linearBiasGrad, (inputs, _, into) => gradientsBy(matmulProcessor, inputs, into));
