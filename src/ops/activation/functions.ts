/**
 * The scalar functions behind the activations, with their derivatives, in float64, and in tfjs ops.
 */
import { add, mul, relu, sigmoid, square, sub, tanh, type Tensor } from '@tensorflow/tfjs-core';

export interface Activation {
  value: (u: number) => number;
  derivative: (u: number) => number;
  tensor: (u: Tensor) => Tensor;
  tensorDerivative: (u: Tensor) => Tensor;
  /** Value of the kernels' constant ACTIVATION. */
  code: number;
}

const C = Math.sqrt(2 / Math.PI);
const A = 0.044715;
const inner = (u: Tensor): Tensor => mul(mul(u, add(mul(square(u), A), 1)), C);

/**
 * The tanh approximation of GELU (Hendrycks and Gimpel 2016; `gelu_new` of transformers,
 * `approximate="tanh"` of PyTorch).
 */
export const gelu: Activation = {
  code: 0,
  value: (u) => 0.5 * u * (1 + Math.tanh(C * (u + A * u ** 3))),
  derivative: (u) => {
    const t = Math.tanh(C * (u + A * u ** 3));
    return 0.5 * (1 + t) + 0.5 * u * (1 - t * t) * C * (1 + 3 * A * u * u);
  },
  tensor: (u) => mul(mul(u, 0.5), add(tanh(inner(u)), 1)),
  tensorDerivative: (u) => {
    const t = tanh(inner(u));
    const slope = mul(mul(mul(u, 0.5 * C), sub(1, square(t))), add(mul(square(u), 3 * A), 1));
    return add(mul(add(t, 1), 0.5), slope);
  },
};

/** max(u, 0) squared (So et al. 2021, Primer). */
export const relu2: Activation = {
  code: 1,
  value: (u) => Math.max(u, 0) ** 2,
  derivative: (u) => 2 * Math.max(u, 0),
  tensor: (u) => square(relu(u)),
  tensorDerivative: (u) => mul(relu(u), 2),
};

/** u sigmoid(u), also called swish. */
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
