/** The command line of `npm run bench` and the pages that it asks for. */
import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run bench -- [options]        (npm run bench:ops -- [options] for single operations)
  --config N|T|S|M     SmolLM2, Qwen3, or a list, T,S,M; tiny tests the bench (default: T,S,M; operations: S,M)
  --backend NAME       webgpu, webgl, wasm, cpu or a list (default: all that start)
  --mode MODE          replay, op_by_op, reference or a list; WebGPU and wasm only (default: replay)
  --threads N          of the processor, on wasm (default: as many as are fastest)
  --steps N            timed steps (200), in at most --seconds S per configuration (60)
  --seed N             seed of weights and tokens (1)
  --peak N             largest matmul of the peak measurement (4096; 0 skips it)
  --precision P        no, fp16 (activations stored as float16) or a list; WebGPU only (no)
  --recompute G        what the backward pass computes again: none, selective, full or a list (none)
  --lora R             adapters of rank R over a frozen base, for example with --config SmolLM2,Qwen3 (0: none)
  --dtype TYPE         the frozen base as float32, float16 or a list; WebGPU only (float32)
  --tune MS            milliseconds to tune matmuls first (0)
  --profile            GPU time by kernel, if the browser has timestamp queries
  --grpo               a step of GRPO: --prompts 16, --answers 8, --prompt_tokens 32, --answer_tokens 32
  --generate           generation instead of training: --batch N (1,64 rows), --tokens N (1024 per row),
                       --temperature, --top_k, --top_p
  --encode             encoding of text in a worker: --vocab_size N (10000), --repeats N (5)
  --reference          losses of --steps N steps (100) by our kernels against the plain reference, whose steps
                       take at most --seconds S (120), and against a second run
  --ladder             one row per configuration: replayed, op by op, and plain tfjs (--plain_steps N: 5) on
                       webgpu,webgl,wasm
  --only NAME          operations, or matmuls of --search, with this in their name; for operations also a list
  --search             every candidate kernel for every matmul (M,S,T,squares), --seconds per configuration;
                       --tile NAME selects candidates
  --matmuls            every matmul (M,S,T,presets) with the plan of a run, against tfjs's kernel
  --timeout S          time limit per page (300)
  --json FILE          write the rows to this file
A GPU is used with BROWSER_GPU=1; otherwise WebGPU and WebGL run in software.`;

/** Numbers that are passed on to the page. */
const NUMBERS = [
  'steps',
  'plain_steps',
  'seconds',
  'seed',
  'peak',
  'tune',
  'lora',
  'threads',
  'vocab_size',
  'repeats',
  'tokens',
  'temperature',
  'top_k',
  'top_p',
  'prompts',
  'answers',
  'prompt_tokens',
  'answer_tokens',
];
const TEXTS = ['only', 'tile', 'recompute'];
const LISTS = ['config', 'backend', 'mode', 'precision', 'dtype', 'batch'];
const FLAGS = ['profile', 'ladder'];
/** What is measured; training steps by default. At most one of them. */
const KINDS = ['ops', 'generate', 'grpo', 'encode', 'reference', 'search', 'matmuls'];

/** The options of a command line. Throws an Error of one sentence if they are invalid. */
export function readOptions(args = process.argv.slice(2)) {
  const strings = [...NUMBERS, ...TEXTS, ...LISTS, 'json'];
  const { values } = parseArgs({
    args,
    options: {
      ...Object.fromEntries(strings.map((name) => [name, { type: 'string' }])),
      ...Object.fromEntries([...FLAGS, ...KINDS].map((name) => [name, { type: 'boolean' }])),
      timeout: { type: 'string', default: '300' },
      help: { type: 'boolean' },
    },
  });
  for (const name of [...NUMBERS, 'timeout']) {
    if (values[name] !== undefined && !(Number(values[name]) >= 0))
      throw new Error(`--${name} takes a number, not ${values[name]}.`);
  }
  return values;
}

/** Query strings of the pages: one page per configuration, backend, mode, precision, dtype and batch. */
export function queriesOf(options) {
  const kind = KINDS.find((name) => options[name]);
  const flag = kind === undefined ? {} : { [kind]: '1' };
  return combinations(listsOf(kind, options)).map((one) => {
    const query = new URLSearchParams({ ...flag, ...one });
    for (const name of [...NUMBERS, ...TEXTS])
      if (options[name] !== undefined) query.set(name, options[name]);
    for (const name of FLAGS) if (options[name]) query.set(name, '1');
    return query.toString();
  });
}

/** The lists of a kind of measurement, with their defaults. */
function listsOf(kind, options) {
  const lists = (defaults) =>
    Object.fromEntries(
      Object.entries(defaults).map(([name, list]) => [name, (options[name] ?? list).split(',')]),
    );
  switch (kind) {
    case 'encode':
      return {};
    case 'reference':
      return lists({ config: 'T,S,M' });
    case 'matmuls':
      return lists({ config: 'M,S,T,presets' });
    case 'search':
      return lists({ config: 'M,S,T,squares' });
    case 'ops':
      return lists({ config: 'S,M' });
    case 'grpo':
      return lists({ config: 'T', backend: 'webgpu', precision: 'no' });
    case 'generate':
      return lists({ config: 'S', backend: 'webgpu', batch: '1,64' });
    default: {
      const backend = options.ladder ? 'webgpu,webgl,wasm' : 'webgpu,webgl,wasm,cpu';
      const mode = options.ladder ? 'replay,op_by_op,reference' : 'replay';
      return lists({ config: 'T,S,M', backend, mode, precision: 'no', dtype: 'float32' });
    }
  }
}

/** Backends that have more than one mode, precision, and dtype of frozen weights. */
const HAVE = { mode: ['webgpu', 'wasm'], precision: ['webgpu'], dtype: ['webgpu'] };

/** Every combination of one value per list. */
function combinations(lists) {
  let all = [{}];
  for (const [name, values] of Object.entries(lists)) {
    const backends = HAVE[name];
    all = all.flatMap((one) => {
      const tried = backends?.includes(one.backend) === false ? values.slice(0, 1) : values;
      return tried.map((value) => ({ ...one, [name]: value }));
    });
  }
  return all;
}
