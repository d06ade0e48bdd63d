/** The activation functions and their derivatives, in float64 and in tfjs ops. */
import { add, mul, relu, sigmoid, square, sub, tanh, type Tensor } from '@tensorflow/tfjs-core';

export interface Activation {
  value: (u: number) => number;
  derivative: (u: number) => number;
  tensor: (u: Tensor) => Tensor;
  tensorDerivative: (u: Tensor) => Tensor;
  /** Value of the kernels' pipeline constant ACTIVATION. */
  code: number;
}

const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBE = 0.044715;
const geluArgument = (u: number): number => GELU_SCALE * (u + GELU_CUBE * u ** 3);
const geluArgumentTensor = (u: Tensor): Tensor =>
  mul(mul(u, add(mul(square(u), GELU_CUBE), 1)), GELU_SCALE);

/**
 * The tanh approximation of GELU (Hendrycks and Gimpel 2016; `gelu_new` of transformers,
 * `approximate="tanh"` of PyTorch).
 */
export const gelu: Activation = {
  code: 0,
  value: (u) => 0.5 * u * (1 + Math.tanh(geluArgument(u))),
  derivative: (u) => {
    const t = Math.tanh(geluArgument(u));
    return 0.5 * (1 + t) + 0.5 * u * (1 - t * t) * GELU_SCALE * (1 + 3 * GELU_CUBE * u * u);
  },
  tensor: (u) => mul(mul(u, 0.5), add(tanh(geluArgumentTensor(u)), 1)),
  tensorDerivative: (u) => {
    const t = tanh(geluArgumentTensor(u));
    const inner = add(mul(square(u), 3 * GELU_CUBE), 1);
    const slope = mul(mul(mul(u, 0.5 * GELU_SCALE), sub(1, square(t))), inner);
    return add(mul(add(t, 1), 0.5), slope);
  },
};

/** Squared ReLU: max(u, 0)^2 (So et al. 2021, Primer). */
export const relu2: Activation = {
  code: 1,
  value: (u) => Math.max(u, 0) ** 2,
  derivative: (u) => 2 * Math.max(u, 0),
  tensor: (u) => square(relu(u)),
  tensorDerivative: (u) => mul(relu(u), 2),
};

/** SiLU, also called swish: u sigmoid(u). */
export const silu: Activation = {
  code: 2,
  value: (u) => u / (1 + Math.exp(-u)),
  derivative: (u) => {
    const s = 1 / (1 + Math.exp(-u));
    return s * (1 + u * (1 - s));
  },
  tensor: (u) => mul(u, sigmoid(u)),
  tensorDerivative: (u) => {
    const s = sigmoid(u);
    return mul(s, add(mul(u, sub(1, s)), 1));
  },
};
