/** What the scripted worker reports of its device, its text, its profile and its saved runs. */
import { defaultConfig, PRESETS, type RunConfig } from '../config/index.ts';
import type {
  CompareMode,
  ComparisonRow,
  DataSummary,
  DeviceInfo,
  RunRecord,
  StepProfile,
} from '../protocol/index.ts';

export const DEVICE: DeviceInfo = {
  backend: 'webgpu',
  reason: 'WebGPU works here and passed the gradient check in 12 ms.',
  adapter: 'NVIDIA Ada Lovelace',
  limits: {
    max_buffer_size: 4 * 2 ** 30,
    max_binding_size: 2 * 2 ** 30,
    workgroup_storage: 49_152,
  },
  features: ['shader-f16', 'subgroups', 'timestamp-query'],
};
export const NO_GPU: DeviceInfo = {
  backend: 'wasm',
  reason:
    'This browser offers no WebGPU and its WebGL failed the gradient check, so the processor does the work.',
  adapter: '4 threads with SIMD',
  limits: { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 31, workgroup_storage: 0 },
  features: ['simd', 'threads'],
};
export const DATA: DataSummary = {
  name: 'Names',
  source: 'unique-names-generator 4.7.1, MIT',
  documents: 4_940,
  duplicates_removed: 6,
  bytes: 33_180,
  characters: 33_180,
  train_documents: 4_441,
  val_documents: 493,
  train_tokens: 31_208,
  val_tokens: 3_471,
  vocab_size: 54,
  tokenizer_kind: 'char',
  sample: 'Aaren\nAarika\nAbagael\nAbagail\nAbbe\nAbbey\nAbbi\nAbbie',
  table: null,
  notes: [],
  uniform_loss: Math.log(54),
  bigram_loss: 2.49,
};

export const PROFILE: StepProfile = {
  step: 120,
  step_ms: 2.57,
  peak: { flops_per_second: 38.2e12, size: 2048 },
  kinds: [
    { kind: 'products', ms: 1.24, dispatches: 97, flops: 31.2e9 },
    { kind: 'attention', ms: 0.51, dispatches: 18, flops: null },
    { kind: 'cross_entropy', ms: 0.33, dispatches: 3, flops: null },
    { kind: 'norms', ms: 0.27, dispatches: 39, flops: null },
    { kind: 'other', ms: 0.11, dispatches: 4, flops: null },
    { kind: 'optimizer', ms: 0.08, dispatches: 3, flops: null },
  ],
  kernels: [
    { kernel: 'matmul nt 2048x10000x128 wide', ms: 0.29, dispatches: 1 },
    { kernel: 'attention_grad_kv', ms: 0.22, dispatches: 6 },
  ],
};

export function savedRuns(): RunRecord[] {
  return [
    savedRun({ preset: 0, minutes: 9, step: 400, val_loss: 2.03 }),
    savedRun({ preset: 2, minutes: 190, step: 1250, val_loss: 4.61 }),
    {
      ...savedRun({ preset: 5, minutes: 2900, step: 3000, val_loss: 3.92 }),
      best: { step: 2250, score: 3.92 },
    },
    {
      ...savedRun({ preset: 1, minutes: 30, step: 800, val_loss: 1.91 }),
      locked: true,
      lineage: {
        objective: 'pretrain',
        parent: { kind: 'run', run: 'saved-0', name: 'Names', step: 400 },
        dataset: DATA.name,
      },
    },
    {
      ...savedRun({ preset: 3, minutes: 60, step: 0, val_loss: 0 }),
      val_loss: null,
      last_val_loss: null,
      bytes: 1_900,
      resumable: false,
    },
  ];
}

/** `preset` is an index of PRESETS; `minutes` is the age of the run. */
interface SavedRun {
  preset: number;
  minutes: number;
  step: number;
  val_loss: number;
}

function savedRun({ preset: index, minutes, step, val_loss }: SavedRun): RunRecord {
  const preset = PRESETS[index];
  return {
    run: `saved-${index}`,
    name: preset?.title ?? 'Run',
    created: Date.now() - minutes * 60_000,
    updated: Date.now() - minutes * 60_000,
    step,
    max_iters: preset?.config.training.max_iters ?? 1000,
    val_loss,
    last_val_loss: val_loss + 0.04,
    n_params: 104_512 * (index + 1),
    bytes: 1_310_000 * (index + 3),
    config: preset?.config ?? defaultConfig(),
    locked: false,
    resumable: true,
    lineage: { objective: 'pretrain', parent: null, dataset: DATA.name },
  };
}

/** Tokens a second by backend and mode; a backend without kernels of ours has the last two alone. */
const TFJS_ALONE = { replayed: NaN, op_by_op: NaN };
const PACE = {
  webgpu: { replayed: 812_000, op_by_op: 70_000, plain: 41_300, stock: 33_900 },
  webgl: { ...TFJS_ALONE, plain: 11_000, stock: 9_700 },
  wasm: { replayed: 98_000, op_by_op: 81_000, plain: 6_400, stock: 6_900 },
  cpu: { ...TFJS_ALONE, plain: 410, stock: 380 },
};
/** Dispatches of a step of our kernels and of plain tfjs, and submits op by op. */
const DISPATCHES = { ours: 64, plain: 1_210 };
const SUBMITS = { replayed: 1, other: 81 };

export function comparison(config: RunConfig, mode: CompareMode, steps: number): ComparisonRow {
  const { backend } = config.runtime;
  const webgpu = backend === 'webgpu';
  const tokens_per_second = PACE[backend === 'auto' ? 'cpu' : backend][mode];
  const tokens = config.training.batch_size * config.model.block_size;
  const dispatches = mode === 'plain' || mode === 'stock' ? DISPATCHES.plain : DISPATCHES.ours;
  const submits = mode === 'replayed' ? SUBMITS.replayed : SUBMITS.other;
  const deviation = backend === 'cpu' ? 1e-6 : 0;
  return {
    backend: backend === 'auto' ? 'cpu' : backend,
    mode,
    steps,
    ms_per_step: (1000 * tokens) / tokens_per_second,
    tokens_per_second,
    dispatches_per_step: webgpu ? dispatches : null,
    submits_per_step: webgpu ? submits : null,
    gpu_bytes: webgpu ? 24_300_000 : null,
    losses: Array.from({ length: steps }, (_, i) => 4 * Math.exp(-i / 20) + deviation),
  };
}
