/**
 * The step of the trainer of @genai-fi/nanogpt 1.3.0, at the bench's sizes. Its model differs: it
 * has RMSNorm instead of LayerNorm and no biases. Learned positions and GELU (useRope false, V1) are
 * closest to ours. `mixed`: float16 values packed in 32-bit words.
 */
// The package has a patched tfjs (with a packed dtype) and does not export it. This is its tensor2d,
// valid for this version only.
import { I as tensor2d } from './node_modules/@genai-fi/nanogpt/dist/dist-Da20xy8E.js';
import { selectBackend } from './node_modules/@genai-fi/nanogpt/dist/backend.js';
import NanoGPT from './node_modules/@genai-fi/nanogpt/dist/models/NanoGPTV1.js';
import BasicTrainer from './node_modules/@genai-fi/nanogpt/dist/training/BasicTrainer.js';
import { mulberry } from '../configs.ts';
import { batchOf } from './parameters.js';

export async function start(sizes, mixed) {
  await selectBackend('webgpu');
  const model = new NanoGPT({
    vocabSize: sizes.vocab_size,
    blockSize: sizes.block_size,
    nLayer: sizes.n_layer,
    nHead: sizes.n_head,
    nEmbed: sizes.n_embd,
    mlpFactor: sizes.n_inner / sizes.n_embd,
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
  const shape = [sizes.batch_size, sizes.block_size];
  const tokens = () => tensor2d(batchOf(sizes, next), shape, 'int32');
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
