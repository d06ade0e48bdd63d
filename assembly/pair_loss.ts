/** The loss of preference pairs, -log sigmoid(chosen - rejected). Batches have few pairs. */
import { intAt, pointerAt } from './inlined/args';
import { exp1 } from './inlined/simd';
import { logarithm } from './logarithm';
import { claim } from './threads';

/** loss, margin [pairs]; scores [2 pairs], chosen and rejected in turn; pairs. */
export function pair_loss(args: usize): void {
  if (claim() != 0) return;
  const losses = pointerAt(args, 0);
  const margins = pointerAt(args, 1);
  const scores = pointerAt(args, 2);
  const pairs = intAt(args, 3);
  for (let pair = 0; pair < pairs; pair++) {
    const word = (<usize>pair) << 2;
    const chosen = load<f32>(scores + (word << 1));
    const margin = chosen - load<f32>(scores + (word << 1), 4);
    store<f32>(margins + word, margin);
    // log(1 + e^-margin) without overflow.
    const rest = logarithm(1 + <f64>exp1(-abs<f32>(margin)));
    store<f32>(losses + word, max<f32>(-margin, 0) + <f32>rest);
  }
}

/** dscores [2 pairs]; margin, dy [pairs]; pairs. */
export function pair_loss_gradient(args: usize): void {
  if (claim() != 0) return;
  const dscores = pointerAt(args, 0);
  const margins = pointerAt(args, 1);
  const dy = pointerAt(args, 2);
  const pairs = intAt(args, 3);
  for (let pair = 0; pair < pairs; pair++) {
    const word = (<usize>pair) << 2;
    const g = load<f32>(dy + word) / (1 + exp1(load<f32>(margins + word)));
    store<f32>(dscores + (word << 1), -g);
    store<f32>(dscores + (word << 1), g, 4);
  }
}
