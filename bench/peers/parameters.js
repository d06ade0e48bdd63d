/**
 * Lists the parameters of the bench's model, for peers in which we wrote the model. `matrix(name,
 * shape, std)` and `vector(name, length, value)` are called for each of them.
 */
export function listParameters(sizes, matrix, vector) {
  const { n_embd: d, n_layer, n_inner, vocab_size, block_size } = sizes;
  const std = 0.02;
  const residual = std / Math.sqrt(2 * n_layer);
  const linear = (name, rows, columns, deviation) => {
    matrix(`${name}.w`, [rows, columns], deviation);
    vector(`${name}.b`, columns, 0);
  };
  const norm = (name) => {
    vector(`${name}.w`, d, 1);
    vector(`${name}.b`, d, 0);
  };
  matrix('wte', [vocab_size, d], std);
  matrix('wpe', [block_size, d], std);
  for (let i = 0; i < n_layer; i++) {
    norm(`${i}.ln_1`);
    linear(`${i}.attn`, d, 3 * d, std);
    linear(`${i}.proj`, d, d, residual);
    norm(`${i}.ln_2`);
    linear(`${i}.fc`, d, n_inner, std);
    linear(`${i}.out`, n_inner, d, residual);
  }
  norm('ln_f');
}

/** Uniform random tokens of one batch, as in the bench. `next` gives random numbers in [0, 1). */
export const batchOf = ({ batch_size, block_size, vocab_size }, next) =>
  Int32Array.from({ length: batch_size * block_size }, () => Math.floor(next() * vocab_size));
