/**
 * Opens a model folder with random weights of a published model's shape, and reads every parameter
 * once, as a run does. Prints the time and the memory beside that of the file.
 *
 *     npx vite build --ssr bench/open_folder.ts --outDir node_modules/.open_folder
 *     node node_modules/.open_folder/assets/page/open_folder-*.js smollm2-135m F32
 */
import { readCheckpoint } from '../src/checkpoint/checkpoint.ts';
import { resolveModel } from '../src/config/index.ts';
import { modelConfigOf } from '../src/config/schema.ts';
import { listParameters } from '../src/model/parameters.ts';
import { hfConfig } from '../src/checkpoint/hf_config.ts';
import { SHAPES } from './shapes.ts';

const [name = 'smollm2-135m', dtype = 'BF16'] = process.argv.slice(2);
const shape = Object.entries(SHAPES).find(([known]) => known === name)?.[1];
if (!shape) throw new Error(`There is no shape ${name}: ${Object.keys(SHAPES).join(', ')}.`);

const model = resolveModel(shape.model, shape.vocab_size);
const file = randomFile(dtype === 'F32' ? 4 : 2);
const files = new Map([
  ['config.json', text(hfConfig(model, { bos_token_id: null, eos_token_id: null }))],
  ['tokenizer.json', text(tokenizer())],
  ['model.safetensors', file],
]);

const before = process.memoryUsage().arrayBuffers;
let peak = before;
const started = performance.now();
const { parameters, config } = readCheckpoint(files);
const opened = performance.now();
let values = 0;
for (const [, weights] of parameters) {
  values += weights.length;
  peak = Math.max(peak, process.memoryUsage().arrayBuffers);
}
const read = performance.now();
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
console.log(
  `${name} ${dtype}: ${values} parameters in ${megabytes(file.length)}; ` +
    `opened in ${(opened - started).toFixed(0)} ms, read in ${(read - opened).toFixed(0)} ms, ` +
    `with at most ${megabytes(peak - before)} beside the file; ` +
    `head width ${modelConfigOf(model).head_dim}, batch ${config.training.batch_size}`,
);

/** A file of random finite numbers near 0.01 to 0.03. */
function randomFile(bytes: 2 | 4): Uint8Array {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { shape: size, parts } of listParameters(model)) {
    const [rows = 1] = size;
    for (const part of parts) {
      const width = part.end - part.start;
      const start = end;
      const isMatrix = size.length > 1;
      const whole = part.transpose ? [width, rows] : size;
      const dims = isMatrix ? whole : [width];
      end += bytes * dims.reduce((product, n) => product * n, 1);
      header[part.name] = { dtype, shape: dims, data_offsets: [start, end] };
    }
  }
  const json = text(header);
  const data = new Uint8Array(8 + json.length + (json.length % 2) + end);
  new DataView(data.buffer).setBigUint64(0, BigInt(json.length + (json.length % 2)), true);
  data.fill(0x20, 8, 8 + json.length + 1);
  data.set(json, 8);
  // The upper half of each number: sign, exponent and first bits of the fraction.
  const words = new Uint16Array(data.buffer, data.length - end);
  for (let i = bytes / 2 - 1; i < words.length; i += bytes / 2) {
    words[i] = 0x3c00 + ((i * 40503) & 0xff);
  }
  return data;
}

function text(json: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json));
}

function tokenizer(): unknown {
  const vocab = Object.fromEntries([...'abcdefghij'].map((character, i) => [character, i]));
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', vocab, merges: [] },
  };
}
