/**
 * The parameters of the bench's model, for peers in which it had to be written: `matrix(name,
 * shape, std)` and `vector(name, length, value)` make one each.
 */
export function listParameters(c, matrix, vector) {
  const d = c.n_embd;
  const std = 0.02;
  const residual = std / Math.sqrt(2 * c.n_layer);
  const linear = (name, rows, columns, deviation) => {
    matrix(`${name}.w`, [rows, columns], deviation);
    vector(`${name}.b`, columns, 0);
  };
  const norm = (name) => {
    vector(`${name}.w`, d, 1);
    vector(`${name}.b`, d, 0);
  };
  matrix('wte', [c.vocab_size, d], std);
  matrix('wpe', [c.block_size, d], std);
  for (let i = 0; i < c.n_layer; i++) {
    norm(`${i}.ln_1`);
    linear(`${i}.attn`, d, 3 * d, std);
    linear(`${i}.proj`, d, d, residual);
    norm(`${i}.ln_2`);
    linear(`${i}.fc`, d, c.n_inner, std);
    linear(`${i}.out`, c.n_inner, d, residual);
  }
  norm('ln_f');
}

/** Uniform tokens of one batch, as the bench's own. */
export const batchOf = (c, next) =>
  Int32Array.from({ length: c.batch_size * c.block_size }, () => Math.floor(next() * c.vocab_size));
