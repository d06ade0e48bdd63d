/**
 * PyTorch's optimizers in plain float64 loops, for the tests: AdamW, Adam and SGD as torch.optim
 * has them (single tensor form), Muon as KellerJordan/Muon has it, on matrices [out, in] as there;
 * the caller transposes.
 */
export type Vector = Float64Array;

export function clipGradNorm(gradients: readonly Vector[], max_norm: number): number {
  const norm = Math.sqrt(gradients.reduce((s, g) => s + g.reduce((t, v) => t + v * v, 0), 0));
  const factor = max_norm > 0 ? Math.min(1, max_norm / (norm + 1e-6)) : 1;
  for (const g of gradients)
    g.forEach((v, i) => {
      g[i] = v * factor;
    });
  return norm;
}

export interface AdamState {
  step: number;
  exp_avg: Vector;
  exp_avg_sq: Vector;
}
export const adamState = (n: number): AdamState => ({
  step: 0,
  exp_avg: new Float64Array(n),
  exp_avg_sq: new Float64Array(n),
});

/** torch.optim.AdamW (`decoupled`) or torch.optim.Adam, in place. */
export function adam(
  p: Vector,
  g: Vector,
  s: AdamState,
  o: {
    lr: number;
    beta1: number;
    beta2: number;
    eps: number;
    weight_decay: number;
    decoupled: boolean;
  },
): void {
  s.step++;
  const step_size = o.lr / (1 - o.beta1 ** s.step);
  const correction = Math.sqrt(1 - o.beta2 ** s.step);
  p.forEach((before, i) => {
    const value = o.decoupled ? before * (1 - o.lr * o.weight_decay) : before;
    const gradient = (g[i] ?? NaN) + (o.decoupled ? 0 : o.weight_decay * before);
    const m = (s.exp_avg[i] ?? NaN) + (gradient - (s.exp_avg[i] ?? NaN)) * (1 - o.beta1);
    const v = (s.exp_avg_sq[i] ?? NaN) * o.beta2 + gradient * gradient * (1 - o.beta2);
    s.exp_avg[i] = m;
    s.exp_avg_sq[i] = v;
    p[i] = value - step_size * (m / (Math.sqrt(v) / correction + o.eps));
  });
}

/** torch.optim.SGD, in place; `buffer` starts at zero. */
export function sgd(
  p: Vector,
  g: Vector,
  buffer: Vector,
  o: { lr: number; momentum: number; weight_decay: number },
): void {
  p.forEach((value, i) => {
    const b = o.momentum * (buffer[i] ?? NaN) + (g[i] ?? NaN) + o.weight_decay * value;
    buffer[i] = b;
    p[i] = value - o.lr * b;
  });
}

/** Row-major matrix. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Vector;
}
const matrix = (rows: number, columns: number, at: (r: number, c: number) => number): Matrix => ({
  rows,
  columns,
  data: Float64Array.from({ length: rows * columns }, (_v, i) =>
    at(Math.floor(i / columns), i % columns),
  ),
});
const get = (m: Matrix, r: number, c: number): number => m.data[r * m.columns + c] ?? NaN;
export const transposed = (m: Matrix): Matrix => matrix(m.columns, m.rows, (r, c) => get(m, c, r));
export const columnsOf = (m: Matrix, start: number, end: number): Matrix =>
  matrix(m.rows, end - start, (r, c) => get(m, r, start + c));
export function product(a: Matrix, b: Matrix): Matrix {
  return matrix(a.rows, b.columns, (r, c) => {
    let s = 0;
    for (let k = 0; k < a.columns; k++) s += get(a, r, k) * get(b, k, c);
    return s;
  });
}

/** Five quintic Newton-Schulz steps of the smaller side. */
export function newtonSchulz(g: Matrix): Matrix {
  if (g.rows > g.columns) return transposed(newtonSchulz(transposed(g)));
  const norm = Math.sqrt(g.data.reduce((s, v) => s + v * v, 0)) + 1e-7;
  let x = matrix(g.rows, g.columns, (r, c) => get(g, r, c) / norm);
  for (let step = 0; step < 5; step++) {
    const a = product(x, transposed(x));
    const aa = product(a, a);
    const ax = product(a, x);
    const aax = product(aa, x);
    const old = x;
    x = matrix(
      g.rows,
      g.columns,
      (r, c) => 3.4445 * get(old, r, c) - 4.775 * get(ax, r, c) + 2.0315 * get(aax, r, c),
    );
  }
  return x;
}

/** Muon on a matrix [out, in], in place. */
export function muon(
  p: Matrix,
  g: Matrix,
  buffer: Matrix,
  o: { lr: number; momentum: number; weight_decay: number },
): void {
  buffer.data.forEach((b, i) => {
    buffer.data[i] = b + (1 - o.momentum) * ((g.data[i] ?? NaN) - b);
  });
  const nesterov = matrix(
    g.rows,
    g.columns,
    (r, c) => (1 - o.momentum) * get(g, r, c) + o.momentum * get(buffer, r, c),
  );
  const update = newtonSchulz(nesterov);
  const scale = Math.sqrt(Math.max(1, g.rows / g.columns));
  p.data.forEach((value, i) => {
    p.data[i] = value * (1 - o.lr * o.weight_decay) - o.lr * scale * (update.data[i] ?? NaN);
  });
}
