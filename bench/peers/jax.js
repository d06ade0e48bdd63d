/**
 * The model and step of the bench in jax-js 0.1.25: one jitted function from parameters, moments
 * and batch to the next parameters and moments and the loss. jax-js counts references: a function
 * owns its arguments, and `.ref` keeps a value for another use. The gradient of its gather does not
 * compile inside jit ("routine primitive scatter input is not imm"), so the embedding is a matmul
 * with one-hot rows.
 */
import {
  defaultDevice,
  getWebGPUDevice,
  init,
  jit,
  nn,
  numpy as np,
  tree,
  valueAndGrad,
} from '@jax-js/jax';
import { mulberry } from '../configs.ts';
import { batchOf, listParameters } from './parameters.js';

const RATE = 3e-4;
const DECAY = 0.1;

function parameters(sizes) {
  const next = mulberry(1);
  const all = {};
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  listParameters(
    sizes,
    (name, [rows, columns], std) => {
      all[name] = np
        .array(Float32Array.from({ length: rows * columns }, () => std * normal()))
        .reshape([rows, columns]);
    },
    (name, n, value) => {
      all[name] = np.array(new Float32Array(n).fill(value));
    },
  );
  return all;
}

/** Mean cross-entropy. Owns the parameters `v`, ids and targets [B x T]. */
function lossOf(sizes, v, ids, targets) {
  const { batch_size: B, block_size: T, n_embd: d, n_head: h, n_layer, vocab_size } = sizes;
  const N = B * T;
  const use = (name) => v[name].ref;
  const linear = (x, name) => np.matmul(x, use(`${name}.w`)).add(use(`${name}.b`));
  const norm = (x, name) =>
    nn
      .standardize(x, -1, { epsilon: 1e-5 })
      .mul(use(`${name}.w`))
      .add(use(`${name}.b`));
  let x = np
    .matmul(nn.oneHot(ids, vocab_size), use('wte'))
    .reshape([B, T, d])
    .add(use('wpe'))
    .reshape([N, d]);
  for (let i = 0; i < n_layer; i++) {
    const [q, k, values] = np
      .split(linear(norm(x.ref, `${i}.ln_1`), `${i}.attn`), 3, 1)
      .map((t) => t.reshape([B, T, h, d / h]));
    const y = nn.dotProductAttention(q, k, values, { isCausal: true });
    x = x.add(linear(y.reshape([N, d]), `${i}.proj`));
    x = x.ref.add(linear(nn.gelu(linear(norm(x, `${i}.ln_2`), `${i}.fc`)), `${i}.out`));
  }
  const logits = np.matmul(norm(x, 'ln_f'), np.transpose(use('wte')));
  const chosen = np.sum(nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, vocab_size)), -1);
  tree.dispose(v);
  return np.mean(chosen).mul(-1);
}

/**
 * torch.optim.AdamW after clip_grad_norm_(1.0), with decay on matrices only. Owns all arrays:
 * parameters `v`, moments `m` and `s`, and the step `t`, a scalar.
 */
function update({ v, grads, m, s, t }) {
  const names = Object.keys(v);
  const total = names.map((name) => np.sum(np.square(grads[name].ref))).reduce((a, b) => a.add(b));
  const factor = np.minimum(1, np.reciprocal(np.sqrt(total).add(1e-6)));
  const c1 = np.subtract(1, np.exp(t.ref.mul(Math.log(0.9))));
  const c2 = np.sqrt(np.subtract(1, np.exp(t.mul(Math.log(0.999)))));
  const next = { v: {}, m: {}, s: {} };
  for (const name of names) {
    const g = grads[name].mul(factor.ref);
    const p = v[name];
    const decayed = p.shape.length >= 2 ? p.mul(1 - RATE * DECAY) : p;
    next.m[name] = m[name].mul(0.9).add(g.ref.mul(0.1));
    next.s[name] = s[name].mul(0.999).add(np.square(g).mul(0.001));
    const step = next.m[name].ref
      .div(c1.ref)
      .mul(RATE)
      .div(np.sqrt(next.s[name].ref).div(c2.ref).add(1e-8));
    next.v[name] = decayed.sub(step);
  }
  for (const used of [factor, c1, c2]) used.dispose();
  return next;
}

export async function start(sizes) {
  const devices = await init('webgpu');
  if (!devices.includes('webgpu')) throw new Error('jax-js does not find WebGPU.');
  defaultDevice('webgpu');
  const info = getWebGPUDevice().adapterInfo;
  const next = mulberry(2);
  const tokens = () => np.array(batchOf(sizes, next));
  const step = jit((v, m, s, t, ids, targets) => {
    const [loss, grads] = valueAndGrad((p) => lossOf(sizes, p, ids, targets))(tree.ref(v));
    return { loss, ...update({ v, grads, m, s, t }) };
  });
  let v = parameters(sizes);
  let m = tree.map((p) => np.zeros(p.shape), tree.ref(v));
  let s = tree.map((p) => np.zeros(p.shape), tree.ref(v));
  let t = 0;
  const count = Object.values(v).reduce((n, p) => n + p.size, 0);
  return {
    name: 'jax-js',
    mode: 'jit',
    adapter: [info?.vendor, info?.architecture].filter(Boolean).join(' ') || 'WebGPU',
    parameters: count,
    step() {
      const out = step(v, m, s, np.array(new Float32Array([++t])).reshape([]), tokens(), tokens());
      ({ v, m, s } = out);
      return out.loss;
    },
    read: async (loss) => (await loss.data())[0],
    gpuBytes: () => null,
  };
}
