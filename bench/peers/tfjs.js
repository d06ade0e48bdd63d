/**
 * The model and step of the bench in unmodified tfjs 4.22.0: its tape, tf.Variables, and AdamW with
 * clipping in tf ops.
 */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import '@tensorflow/tfjs-backend-webgpu';
import { mulberry } from '../configs.ts';
import { batchOf, listParameters } from './parameters.js';

const normLayer = (x, weight, bias) => {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
};
const gelu = (x) =>
  tf.mul(
    tf.mul(x, 0.5),
    tf.add(
      1,
      tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))))),
    ),
  );

function variables(sizes) {
  const all = {};
  listParameters(
    sizes,
    (name, shape, std) => {
      all[name] = tf.variable(tf.randomNormal(shape, 0, std, 'float32', 1), true, name);
    },
    (name, n, value) => {
      all[name] = tf.variable(tf.fill([n], value), true, name);
    },
  );
  return all;
}

function lossOf({ v, sizes, mask }, ids, targets) {
  const { batch_size: B, block_size: T, n_embd: d, n_head: h, n_layer, vocab_size } = sizes;
  const linear = (x, name) => tf.add(tf.matMul(x, v[`${name}.w`]), v[`${name}.b`]);
  let x = tf.reshape(tf.add(tf.reshape(tf.gather(v.wte, ids), [B, T, d]), v.wpe), [B * T, d]);
  for (let i = 0; i < n_layer; i++) {
    const [q, k, values] = tf
      .split(linear(normLayer(x, v[`${i}.ln_1.w`], v[`${i}.ln_1.b`]), `${i}.attn`), 3, 1)
      .map((t) => tf.transpose(tf.reshape(t, [B, T, h, d / h]), [0, 2, 1, 3]));
    const weights = tf.softmax(
      tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(d / h)), mask),
    );
    x = tf.add(
      x,
      linear(
        tf.reshape(tf.transpose(tf.matMul(weights, values), [0, 2, 1, 3]), [B * T, d]),
        `${i}.proj`,
      ),
    );
    x = tf.add(
      x,
      linear(gelu(linear(normLayer(x, v[`${i}.ln_2.w`], v[`${i}.ln_2.b`]), `${i}.fc`)), `${i}.out`),
    );
  }
  const logits = tf.matMul(normLayer(x, v['ln_f.w'], v['ln_f.b']), v.wte, false, true);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(targets, vocab_size)), -1)));
}

/** torch.optim.AdamW after clip_grad_norm_(1.0), with decay 0.1 on matrices only. */
function update(v, grads, moments, t) {
  const norm = tf.sqrt(
    Object.values(grads)
      .map((g) => tf.sum(tf.square(g)))
      .reduce((a, b) => tf.add(a, b)),
  );
  const factor = tf.minimum(1, tf.div(1, tf.add(norm, 1e-6)));
  const rate = 3e-4;
  const c1 = 1 - 0.9 ** t;
  const c2 = Math.sqrt(1 - 0.999 ** t);
  for (const [name, gradient] of Object.entries(grads)) {
    const g = tf.mul(gradient, factor);
    const { m, s } = moments[name];
    const p = v[name];
    m.assign(tf.add(tf.mul(m, 0.9), tf.mul(g, 0.1)));
    s.assign(tf.add(tf.mul(s, 0.999), tf.mul(tf.square(g), 0.001)));
    const step = tf.mul(tf.div(m, tf.add(tf.div(tf.sqrt(s), c2), 1e-8)), rate / c1);
    p.assign(tf.sub(p.rank >= 2 ? tf.mul(p, 1 - rate * 0.1) : p, step));
  }
}

export async function start(sizes) {
  await tf.setBackend('webgpu');
  await tf.ready();
  const v = variables(sizes);
  const next = mulberry(1);
  const moments = Object.fromEntries(
    Object.entries(v).map(([name, p]) => [
      name,
      { m: tf.variable(tf.zerosLike(p), false), s: tf.variable(tf.zerosLike(p), false) },
    ]),
  );
  const mask = tf.tidy(() =>
    tf.keep(
      tf.mul(
        tf.sub(1, tf.linalg.bandPart(tf.ones([sizes.block_size, sizes.block_size]), -1, 0)),
        -1e9,
      ),
    ),
  );
  const tokens = () => tf.tensor1d(batchOf(sizes, next), 'int32');
  let t = 0;
  return {
    name: 'tfjs',
    mode: 'op_by_op',
    adapter: tf.backend().adapterInfo?.description ?? 'WebGPU',
    parameters: Object.values(v).reduce((n, p) => n + p.size, 0),
    step: () =>
      tf.tidy(() => {
        const ids = tokens();
        const targets = tokens();
        const { value, grads } = tf.variableGrads(
          () => lossOf({ v, sizes, mask }, ids, targets),
          Object.values(v),
        );
        update(v, grads, moments, ++t);
        return value;
      }),
    read: async (loss) => {
      const [value] = await loss.data();
      loss.dispose();
      return value;
    },
    gpuBytes: () =>
      tf.memory().numBytesInGPUAllocated ?? tf.backend().bufferManager?.numBytesAllocated ?? null,
  };
}
