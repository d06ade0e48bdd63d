/** The activation functions and their derivatives, in float64 and in tfjs ops. */
import {
  abs,
  add,
  exp,
  fill,
  mul,
  reciprocal,
  relu,
  sigmoid,
  sign,
  square,
  sub,
  tanh,
  type Tensor,
} from '@tensorflow/tfjs-core';
import { erfc } from './erfc.ts';

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

/** Coefficients of `erfc`, from degree 9 down. */
const ERFC = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196,
  1.00002368, -1.26551223,
] as const;

/**
 * erfc(z) for z >= 0 with a relative error below 1.2e-7 (Press et al., Numerical Recipes, section
 * 6.2, `erfcc`). Relative, so that GELU keeps its digits where it is nearly zero.
 */
function erfcTensor(z: Tensor): Tensor {
  const t = reciprocal(add(mul(z, 0.5), 1));
  const [first, ...rest] = ERFC;
  const polynomial = rest.reduce<Tensor>((sum, c) => add(mul(sum, t), c), fill(t.shape, first));
  return mul(t, exp(sub(polynomial, square(z))));
}

/** GELU with the error function: u Phi(u) (Hendrycks and Gimpel 2016; `gelu` of transformers). */
export const exactGelu: Activation = {
  code: 3,
  value: (u) => (u * erfc(-u / Math.SQRT2)) / 2,
  derivative: (u) => erfc(-u / Math.SQRT2) / 2 + (u * Math.exp((-u * u) / 2)) / ROOT_2_PI,
  tensor: (u) => sub(relu(u), mul(abs(u), halfTail(u))),
  tensorDerivative: (u) => {
    const phi = add(mul(sign(u), sub(0.5, halfTail(u))), 0.5);
    return add(phi, mul(u, mul(exp(mul(square(u), -0.5)), 1 / ROOT_2_PI)));
  },
};
const ROOT_2_PI = Math.sqrt(2 * Math.PI);

/** 1 - Phi(|u|) */
const halfTail = (u: Tensor): Tensor => mul(erfcTensor(mul(abs(u), Math.SQRT1_2)), 0.5);

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
