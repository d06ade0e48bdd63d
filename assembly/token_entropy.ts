/** Entropy of the distribution over the next token. */
import { intAt, pointerAt } from './inlined/args';
import { softmaxTerm, softmaxTerm4 } from './inlined/exponentials';
import { splat, sumOf } from './inlined/simd';
import { chunksOf, rowsOfChunk } from './rows';
import { claim } from './threads';

/** entropy [n]; logits [n, v], lse [n]; n, v. */
export function token_entropy(args: usize): void {
  const entropy = pointerAt(args, 0);
  const logits = pointerAt(args, 1);
  const lse = pointerAt(args, 2);
  const n = intAt(args, 3);
  const v = intAt(args, 4);
  const rows = rowsOfChunk(v);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const word = (<usize>row) << 2;
      const from = logits + ((<usize>row * <usize>v) << 2);
      store<f32>(entropy + word, entropyOf(from, from + ((<usize>v) << 2), load<f32>(lse + word)));
    }
  }
}

/** -sum p log p over the logits in [from, end), where log p = logit - lse. */
function entropyOf(from: usize, end: usize, lse: f32): f32 {
  const offset = splat(lse);
  let four = splat(0);
  let p = from;
  for (; p + 16 <= end; p += 16) {
    const logp = f32x4.sub(v128.load(p), offset);
    four = f32x4.sub(four, f32x4.mul(softmaxTerm4(logp), logp));
  }
  let sum = sumOf(four);
  for (; p < end; p += 4) {
    const logp = load<f32>(p) - lse;
    sum -= softmaxTerm(logp) * logp;
  }
  return sum;
}
