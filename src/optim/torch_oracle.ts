/**
 * PyTorch's optimizers in plain float64 loops, for the tests: AdamW, Adam and SGD as in torch.optim
 * (single-tensor form), Muon as in KellerJordan/Muon. Muon's matrices are [out, in] as in PyTorch;
 * the caller transposes.
 */
export type Vector = Float64Array;

/** `torch.nn.utils.clip_grad_norm_`, in place; a max_norm of 0 does not clip. Returns the norm. */
export function clipGradNorm(gradients: readonly Vector[], max_norm: number): number {
  const sumOfSquares = (values: Vector): number => values.reduce((sum, v) => sum + v * v, 0);
  const norm = Math.sqrt(gradients.reduce((sum, g) => sum + sumOfSquares(g), 0));
  const factor = max_norm > 0 ? Math.min(1, max_norm / (norm + 1e-6)) : 1;
  for (const g of gradients)
    g.forEach((v, i) => {
      g[i] = v * factor;
    });
  return norm;
}

export interface AdamState {
  /** Number of updates so far. */
  step: number;
  exp_avg: Vector;
  exp_avg_sq: Vector;
}
export const adamState = (n: number): AdamState => ({
  step: 0,
  exp_avg: new Float64Array(n),
  exp_avg_sq: new Float64Array(n),
});

export interface AdamOptions {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weight_decay: number;
  /** AdamW instead of Adam. */
  decoupled: boolean;
}

/** torch.optim.AdamW (`decoupled`) or torch.optim.Adam, in place. */
export function adam(p: Vector, g: Vector, state: AdamState, options: AdamOptions): void {
  const { lr, beta1, beta2, eps, weight_decay, decoupled } = options;
  const { exp_avg, exp_avg_sq } = state;
  state.step++;
  const stepSize = lr / (1 - beta1 ** state.step);
  const correction = Math.sqrt(1 - beta2 ** state.step);
  p.forEach((before, i) => {
    const value = decoupled ? before * (1 - lr * weight_decay) : before;
    const gradient = (g[i] ?? NaN) + (decoupled ? 0 : weight_decay * before);
    const m = (exp_avg[i] ?? NaN) + (gradient - (exp_avg[i] ?? NaN)) * (1 - beta1);
    const v = (exp_avg_sq[i] ?? NaN) * beta2 + gradient * gradient * (1 - beta2);
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    p[i] = value - stepSize * (m / (Math.sqrt(v) / correction + eps));
  });
}

export interface MomentumOptions {
  lr: number;
  momentum: number;
  weight_decay: number;
}

/** torch.optim.SGD, in place; `buffer` starts at zero. */
export function sgd(p: Vector, g: Vector, buffer: Vector, options: MomentumOptions): void {
  const { lr, momentum, weight_decay } = options;
  p.forEach((value, i) => {
    const b = momentum * (buffer[i] ?? NaN) + (g[i] ?? NaN) + weight_decay * value;
    buffer[i] = b;
    p[i] = value - lr * b;
  });
}

/** Row-major matrix. */
export interface Matrix {
  rows: number;
  columns: number;
  data: Vector;
}

function matrix(rows: number, columns: number, at: (r: number, c: number) => number): Matrix {
  const data = Float64Array.from({ length: rows * columns }, (_, i) =>
    at(Math.floor(i / columns), i % columns),
  );
  return { rows, columns, data };
}
const get = (m: Matrix, r: number, c: number): number => m.data[r * m.columns + c] ?? NaN;

export const transposed = (m: Matrix): Matrix => matrix(m.columns, m.rows, (r, c) => get(m, c, r));

export const columnsOf = (m: Matrix, start: number, end: number): Matrix =>
  matrix(m.rows, end - start, (r, c) => get(m, r, start + c));

export function product(a: Matrix, b: Matrix): Matrix {
  return matrix(a.rows, b.columns, (r, c) => {
    let sum = 0;
    for (let k = 0; k < a.columns; k++) sum += get(a, r, k) * get(b, k, c);
    return sum;
  });
}

/** Five quintic Newton-Schulz steps, on the smaller side of the matrix. */
export function newtonSchulz(g: Matrix): Matrix {
  if (g.rows > g.columns) return transposed(newtonSchulz(transposed(g)));
  const norm = Math.sqrt(g.data.reduce((sum, v) => sum + v * v, 0)) + 1e-7;
  let x = matrix(g.rows, g.columns, (r, c) => get(g, r, c) / norm);
  for (let step = 0; step < 5; step++) {
    const a = product(x, transposed(x));
    const aa = product(a, a);
    const ax = product(a, x);
    const aax = product(aa, x);
    const before = x;
    const polynomial = (r: number, c: number): number =>
      3.4445 * get(before, r, c) - 4.775 * get(ax, r, c) + 2.0315 * get(aax, r, c);
    x = matrix(g.rows, g.columns, polynomial);
  }
  return x;
}

/** Muon on a matrix [out, in], in place. */
export function muon(p: Matrix, g: Matrix, buffer: Matrix, options: MomentumOptions): void {
  const { lr, momentum, weight_decay } = options;
  buffer.data.forEach((b, i) => {
    buffer.data[i] = b + (1 - momentum) * ((g.data[i] ?? NaN) - b);
  });
  const nesterov = matrix(
    g.rows,
    g.columns,
    (r, c) => (1 - momentum) * get(g, r, c) + momentum * get(buffer, r, c),
  );
  const update = newtonSchulz(nesterov);
  const scale = Math.sqrt(Math.max(1, g.rows / g.columns));
  p.data.forEach((value, i) => {
    p.data[i] = value * (1 - lr * weight_decay) - lr * scale * (update.data[i] ?? NaN);
  });
}
