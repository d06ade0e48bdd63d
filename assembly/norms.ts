/** LayerNorm and RMSNorm of the rows of a matrix. src/ops/layer_norm has the formulas. */
import { floatAt, intAt, pointerAt } from './inlined/args';
import { fma, splat } from './inlined/simd';
import { chunksOf, rowsOfChunk, squaresOfRow, sumOfRow } from './rows';
import { claim, scratch } from './threads';

/** y [n, d], rstd [n], mean [n]; x [n, d], weight [d], bias [d] or absent; n, d, eps. */
export function layer_norm(args: usize): void {
  normalize(args, true);
}

/** y [n, d], rstd [n]; x [n, d], weight [d], an absent bias; n, d, eps. */
export function rms_norm(args: usize): void {
  normalize(args, false);
}

/** Without `center` there is no argument `mean`, and rows are only scaled. */
function normalize(args: usize, center: bool): void {
  const y = pointerAt(args, 0);
  const rstds = pointerAt(args, 1);
  const means = center ? pointerAt(args, 2) : 0;
  const reads = args + (center ? 12 : 8);
  const x = pointerAt(reads, 0);
  const weight = pointerAt(reads, 1);
  const n = intAt(reads, 3);
  const d = intAt(reads, 4);
  const eps = floatAt(reads, 5);
  const width = (<usize>d) << 2;
  const bias = biasOrZeros(pointerAt(reads, 2), width);
  const rows = rowsOfChunk(d);
  const chunks = chunksOf(n, rows);
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    const end = min(n, (chunk + 1) * rows);
    for (let row = chunk * rows; row < end; row++) {
      const from = x + <usize>row * width;
      const mean: f32 = center ? sumOfRow(from, from + width) / <f32>d : 0;
      const variance = squaresOfRow(from, from + width, mean) / <f32>d;
      const rstd: f32 = 1 / sqrt<f32>(variance + eps);
      const word = (<usize>row) << 2;
      store<f32>(rstds + word, rstd);
      if (center) store<f32>(means + word, mean);
      const to = y + <usize>row * width;
      let at: usize = 0;
      for (; at + 16 <= width; at += 16) {
        const centered = f32x4.sub(v128.load(from + at), splat(mean));
        const normal = f32x4.mul(centered, splat(rstd));
        v128.store(to + at, fma(normal, v128.load(weight + at), v128.load(bias + at)));
      }
      for (; at < width; at += 4) {
        const normal = (load<f32>(from + at) - mean) * rstd;
        store<f32>(to + at, normal * load<f32>(weight + at) + load<f32>(bias + at));
      }
    }
  }
}

/** The bias, or zeros in its place. */
function biasOrZeros(bias: usize, bytes: usize): usize {
  if (bias != 0) return bias;
  memory.fill(scratch(), 0, bytes);
  return scratch();
}
