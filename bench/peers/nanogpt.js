/**
 * @genai-fi/nanogpt 1.3.0 through its own trainer's step, at the bench's sizes. Its model is
 * another one: RMSNorm in place of LayerNorm and no biases; learned positions and GELU (useRope
 * false, V1) come nearest. `mixed`: halves packed in 32-bit words.
 */
// The package carries a patched tfjs of its own (with a packed dtype) and does not export it: this
// is its tensor2d, of this version alone.
import { I as tensor2d } from './node_modules/@genai-fi/nanogpt/dist/dist-Da20xy8E.js';
import { selectBackend } from './node_modules/@genai-fi/nanogpt/dist/backend.js';
import NanoGPT from './node_modules/@genai-fi/nanogpt/dist/models/NanoGPTV1.js';
import BasicTrainer from './node_modules/@genai-fi/nanogpt/dist/training/BasicTrainer.js';
import { mulberry } from '../configs.ts';
import { batchOf } from './parameters.js';

export async function start(c, mixed) {
  await selectBackend('webgpu');
  const model = new NanoGPT({
    vocabSize: c.vocab_size,
    blockSize: c.block_size,
    nLayer: c.n_layer,
    nHead: c.n_head,
    nEmbed: c.n_embd,
    mlpFactor: c.n_inner / c.n_embd,
    useRope: false,
  });
  const trainer = new BasicTrainer(model, null, {
    learningRate: 3e-4,
    minLearningRate: 3e-4,
    warmupSteps: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.1,
    clipNorm: 1,
  });
  trainer.setMixedPrecision(mixed);
  const next = mulberry(1);
  const shape = [c.batch_size, c.block_size];
  const tokens = () => tensor2d(batchOf(c, next), shape, 'int32');
  return {
    name: 'genai-nanogpt',
    mode: mixed ? 'mixed' : 'f32',
    adapter: 'WebGPU',
    parameters: model.getNumParams(),
    step() {
      const xs = tokens();
      const ys = tokens();
      const loss = trainer.trainStep({}, { xs, ys });
      xs.dispose();
      ys.dispose();
      return loss;
    },
    read: async (loss) => {
      const [value] = await loss.data();
      loss.dispose();
      return value;
    },
    gpuBytes: () => globalThis._tfengine?.backend?.bufferManager?.numBytesAllocated ?? null,
  };
}
