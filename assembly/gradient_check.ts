/** The small gradient that a backend must compute correctly before it is used. */
import { pointerAt } from './inlined/args';
import { exp1 } from './inlined/simd';
import { claim } from './threads';

/** y = tanh(x w); all [2, 2]. */
export function check_forward(args: usize): void {
  const y = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const w = pointerAt(args, 2);
  for (let i = claim(); i < 4; i = claim()) {
    const row = x + ((i & ~1) << 2);
    const column = w + ((i & 1) << 2);
    const sum = load<f32>(row) * load<f32>(column) + load<f32>(row, 4) * load<f32>(column, 8);
    store<f32>(y + (i << 2), 1 - 2 / (exp1(2 * sum) + 1));
  }
}

/** dw = x^T (1 - y^2); all [2, 2]. */
export function check_backward(args: usize): void {
  const dw = pointerAt(args, 0);
  const x = pointerAt(args, 1);
  const y = pointerAt(args, 2);
  for (let i = claim(); i < 4; i = claim()) {
    const row = x + ((i >> 1) << 2);
    const column = y + ((i & 1) << 2);
    const first = load<f32>(column);
    const second = load<f32>(column, 8);
    const sum = load<f32>(row) * (1 - first * first) + load<f32>(row, 8) * (1 - second * second);
    store<f32>(dw + (i << 2), sum);
  }
}
