/**
 * A scripted worker behind the page's port: a plausible run without a model, so that the page can
 * be built, tested and photographed by itself. `scenario` chooses what goes wrong. It is reached
 * from `fake.html` and from tests alone.
 */
import { defaultConfig, PRESETS, type RunConfig } from '../config/index.ts';
import type {
  Command,
  CompareMode,
  ComparisonRow,
  DataSummary,
  DeviceInfo,
  Event,
  MetricColumns,
  PagePort,
  RunPhase,
  RunRecord,
  StepProfile,
} from '../protocol/index.ts';
import { FAILURES, type Scenario } from './fake_failures.ts';
import { fakePieces, idOf, seeded } from './fake_text.ts';

const DEVICE: DeviceInfo = {
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
const NO_GPU: DeviceInfo = {
  backend: 'wasm',
  reason:
    'This browser offers no WebGPU and its WebGL failed the gradient check, so the processor does the work.',
  adapter: '4 threads with SIMD',
  limits: { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 31, workgroup_storage: 0 },
  features: ['simd', 'threads'],
};
const DATA: DataSummary = {
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
  columns: [],
  uniform_loss: Math.log(54),
  bigram_loss: 2.49,
};

const PROFILE: StepProfile = {
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

export interface FakeOptions {
  scenario: Scenario;
  speed: number;
  seed?: number;
}

/** A PagePort with nothing behind it but a timer. */
export function fakePort({ scenario, speed, seed = 7 }: FakeOptions): PagePort {
  const random = seeded(seed);
  let listener: (event: Event) => void = () => undefined;
  let death: (reason: string) => void = () => undefined;
  let timer: ReturnType<typeof setInterval> | undefined;
  let config: RunConfig = defaultConfig();
  let run = '';
  let step = 0;
  let closed = false;
  let broken = false;
  let runs = scenario === 'first' ? [] : savedRuns();

  const emit = (event: Event): void => {
    if (!closed) queueMicrotask(() => listener(event));
  };
  const later = (ms: number, action: () => void): void => {
    setTimeout(() => {
      if (!closed) action();
    }, ms);
  };
  const phase = (name: RunPhase, detail = '', progress: number | null = null): void =>
    emit({ type: 'phase', phase: name, detail, progress });
  const list = (): void =>
    emit({
      type: 'runs',
      runs,
      storage: {
        used: 48_300_000,
        quota: 12e9,
        persistent: true,
        available: scenario !== 'storage',
      },
    });

  const lossAt = (at: number): number =>
    1.86 +
    2.14 * Math.exp(-at / (config.training.max_iters * 0.09)) +
    0.35 * Math.exp(-at / config.training.max_iters);
  const skillAt = (at: number): number => 1 - Math.exp(-at / (config.training.max_iters * 0.16));

  function columns(from: number, to: number): MetricColumns {
    const rows = Array.from({ length: to - from }, (_, i) => from + i + 1);
    const noisy = (at: number): number =>
      lossAt(at) + 0.09 * (random() + random() - 1) + (random() < 0.004 ? 0.9 * random() : 0);
    const evaluated = (at: number, value: number): number =>
      at % config.training.eval_interval === 0 || at === 1 ? value : NaN;
    const column = (make: (at: number) => number): Float64Array => Float64Array.from(rows, make);
    const { batch_size, learning_rate, min_lr, max_iters, warmup_iters } = config.training;
    const tokens = batch_size * config.model.block_size;
    const lr = (at: number): number =>
      at < warmup_iters
        ? (learning_rate * at) / warmup_iters
        : min_lr +
          (learning_rate - min_lr) *
            0.5 *
            (1 + Math.cos((Math.PI * (at - warmup_iters)) / Math.max(1, max_iters - warmup_iters)));
    const val = (at: number): number => lossAt(at) + 0.05 + 0.1 * (at / max_iters);
    return {
      step: column((at) => at),
      'train/loss': column(noisy),
      'val/loss': column((at) => evaluated(at, val(at))),
      'val/bpb': column((at) => evaluated(at, val(at) / Math.LN2)),
      'val/perplexity': column((at) => evaluated(at, Math.exp(val(at)))),
      'val/accuracy': column((at) => evaluated(at, 0.46 * skillAt(at))),
      'train/accuracy': column((at) => 0.48 * skillAt(at) + 0.02 * random()),
      lr: column(lr),
      grad_norm: column(
        (at) => 0.4 + 1.6 * Math.exp(-at / 80) + 0.15 * random() + (random() < 0.005 ? 2 : 0),
      ),
      'train/tok_per_sec': column(() => 70_000 * (0.96 + 0.06 * random())),
      step_ms: column(() => (tokens / 70) * (0.97 + 0.06 * random())),
      gpu_live_bytes: column(() => 24_300_000),
      gpu_bytes: column(() => 27_900_000),
      js_heap_bytes: column((at) => 31e6 + 4e6 * ((at % 90) / 90)),
      'sample/novel': column((at) => evaluated(at, 0.99 - 0.25 * skillAt(at))),
      tokens: column((at) => at * tokens),
      seconds: column((at) => (at * tokens) / 70_000),
    };
  }

  function begin(from: number, name: string, paused: boolean): void {
    phase('preparing', 'Reading the text', 0.2);
    later(250 / speed, () => {
      emit({ type: 'data', data: DATA });
      phase('preparing', 'Counting the bigrams', 0.8);
    });
    later(500 / speed, () => phase('compiling', 'Compiling 31 programs for your GPU', 0.4));
    later(900 / speed, () => {
      step = from;
      emit({
        type: 'started',
        run,
        name,
        config,
        step: from,
        n_params: 104_512,
        planned_bytes: 26_400_000,
        precision: {
          mixed_precision: config.training.mixed_precision,
          subgroup_matrices: false,
          reason: null,
        },
        history: from > 0 ? columns(0, from) : null,
      });
      for (let at = 0; at < from; at += config.sampling.sample_interval || 50) sample(at);
      if (paused) phase('paused');
      else go();
    });
  }
  function go(): void {
    phase('training');
    clearInterval(timer);
    timer = setInterval(() => {
      const next = Math.min(config.training.max_iters, step + Math.max(1, Math.round(6 * speed)));
      advance(next);
    }, 100);
  }
  function advance(next: number): void {
    emit({ type: 'metrics', columns: columns(step, next) });
    const every = config.sampling.sample_interval;
    if (every > 0 && Math.floor(next / every) > Math.floor(step / every))
      sample(next - (next % every));
    step = next;
    if (step % 200 < 6 * speed && step > 0) emit({ type: 'saved', run, step, bytes: 1_310_000 });
    const failure = FAILURES[scenario];
    if (failure && !broken && step >= failure.atStep) {
      broken = true;
      fail(failure);
      return;
    }
    if (step >= config.training.max_iters) {
      halt();
      emit({ type: 'finished', step, reason: 'max_iters' });
      list();
    }
  }
  function fail(failure: NonNullable<(typeof FAILURES)[Scenario]>): void {
    halt();
    if (failure.dies) {
      death('a scripted death');
      return;
    }
    if (failure.recovers) {
      phase(
        'recovering',
        'The GPU was lost (the driver was reset); going on from the checkpoint of step 200',
        0.5,
      );
      later(4000 / speed, () => {
        emit({
          type: 'notice',
          message: 'The GPU was lost and is back: training went on from step 200.',
        });
        step = 200;
        go();
      });
      return;
    }
    if (failure.error) emit({ type: 'error', error: failure.error });
    phase('failed');
  }
  const halt = (): void => clearInterval(timer);
  function sample(at: number): void {
    for (const prompt of config.sampling.prompts) {
      emit({
        type: 'sample',
        sample: {
          step: at,
          prompt,
          tokens: fakePieces(random, skillAt(at), config.sampling.max_new_tokens),
          memorized: random() < 0.12,
        },
      });
    }
  }
  function generate(id: number, prompt: string, length: number): void {
    const pieces = fakePieces(random, skillAt(Math.max(step, 200)), length);
    pieces.forEach((piece, index) =>
      later(index * 25, () => emit({ type: 'token', id, pieces: [piece] })),
    );
    later(pieces.length * 25 + 30, () =>
      emit({ type: 'generation_done', id, reason: prompt === 'stop' ? 'stop' : 'length' }),
    );
  }

  function handle(command: Command): void {
    switch (command.type) {
      case 'open':
        later(200 / speed, () => {
          emit({
            type: 'device',
            device:
              scenario === 'nogpu'
                ? NO_GPU
                : { ...DEVICE, backend: command.backend === 'auto' ? 'webgpu' : command.backend },
          });
          if (command.calibrate)
            emit({
              type: 'calibration',
              flops_per_second: scenario === 'nogpu' ? 6e9 : 8e11,
              step_overhead_ms: 3,
            });
        });
        return;
      case 'ping':
        emit({ type: 'pong', id: command.id });
        return;
      case 'prepare':
        phase('preparing', 'Training the tokenizer: 2,114 of 4,096 merges', 0.5);
        later(900 / speed, () => {
          const error = FAILURES[scenario]?.atStep === 0 ? FAILURES[scenario]?.error : undefined;
          if (error) emit({ type: 'error', error });
          else emit({ type: 'data', data: { ...DATA, name: command.text?.name ?? DATA.name } });
          phase('idle');
        });
        return;
      case 'start':
        config = command.config;
        run = command.run;
        begin(0, command.name, command.paused ?? false);
        return;
      case 'import':
        run = command.run;
        begin(300, command.name, true);
        return;
      case 'resume': {
        const record = runs.find((one) => one.run === command.run);
        config = record?.config ?? config;
        run = command.run;
        begin(record?.step ?? 200, record?.name ?? 'Run', command.paused ?? false);
        return;
      }
      case 'train':
        go();
        return;
      case 'pause':
        halt();
        phase('paused');
        return;
      case 'step':
        halt();
        advance(Math.min(step + 1, config.training.max_iters));
        phase('paused');
        return;
      case 'stop':
        halt();
        emit({ type: 'saved', run, step, bytes: 1_310_000 });
        emit({ type: 'finished', step, reason: 'stopped' });
        return;
      case 'save':
        emit({ type: 'saved', run, step, bytes: 1_310_000 });
        return;
      case 'cancel':
        halt();
        phase('idle');
        return;
      case 'generate':
        generate(command.id, command.prompt, Math.min(80, command.sampling.max_new_tokens));
        return;
      case 'stop_generation':
        emit({ type: 'generation_done', id: command.id, reason: 'cancelled' });
        return;
      case 'tokenize':
        emit({
          type: 'tokens',
          id: command.id,
          pieces: [...command.text.matchAll(/\s?\w{1,4}|\s|[^\w\s]/gu)].map(([text]) => ({
            id: idOf(text),
            text,
          })),
        });
        return;
      case 'export':
        later(300, () =>
          emit({
            type: 'exported',
            id: command.id,
            name: 'names.zip',
            bytes: new Uint8Array([80, 75, 5, 6, ...Array<number>(18).fill(0)]),
          }),
        );
        return;
      case 'list_runs':
        list();
        return;
      case 'rename_run':
        runs = runs.map((one) => (one.run === command.run ? { ...one, name: command.name } : one));
        list();
        return;
      case 'duplicate_run':
        runs = runs.flatMap((one) =>
          one.run === command.run
            ? [one, { ...one, run: `${one.run}-copy`, name: command.name, updated: Date.now() }]
            : [one],
        );
        list();
        return;
      case 'delete_run':
        runs = runs.filter((one) => one.run !== command.run);
        list();
        return;
      case 'load_history':
        emit({ type: 'history', run: command.run, columns: columns(0, 500) });
        return;
      case 'profile':
        later(600 / speed, () => emit({ type: 'profile', profile: PROFILE, why: '' }));
        return;
      case 'compare':
        later(1500 / speed, () =>
          emit({
            type: 'comparison',
            row: comparison(command.config, command.mode, command.steps),
          }),
        );
        return;
      case 'set_learning_rate':
        config = {
          ...config,
          training: { ...config.training, learning_rate: command.learning_rate },
        };
        return;
      case 'set_sampling':
        config = { ...config, sampling: command.sampling };
        return;
      case 'lose_device':
        phase('recovering', 'The GPU was lost; going on from the last checkpoint');
        later(1500, go);
        return;
      default:
        command satisfies never;
    }
  }
  return {
    send: handle,
    onEvent: (next) => {
      listener = next;
    },
    onDeath: (next) => {
      death = next;
    },
    close: () => {
      closed = true;
      halt();
    },
  };
}

function savedRuns(): RunRecord[] {
  const make = (index: number, minutes: number, step: number, val_loss: number): RunRecord => {
    const preset = PRESETS[index];
    return {
      run: `saved-${index}`,
      name: preset?.title ?? 'Run',
      created: Date.now() - minutes * 60_000,
      updated: Date.now() - minutes * 60_000,
      step,
      max_iters: preset?.config.training.max_iters ?? 1000,
      val_loss,
      n_params: 104_512 * (index + 1),
      bytes: 1_310_000 * (index + 3),
      config: preset?.config ?? defaultConfig(),
      locked: false,
      resumable: true,
    };
  };
  return [make(0, 9, 400, 2.03), make(2, 190, 1250, 4.61), make(5, 2900, 3000, 3.92)];
}

function comparison(config: RunConfig, mode: CompareMode, steps: number): ComparisonRow {
  const { backend } = config.runtime;
  const replayed = mode === 'replayed';
  const webgpu = backend === 'webgpu';
  const pace = {
    webgpu: { replayed: 812_000, op_by_op: 70_000, plain: 1_300 }[mode],
    webgl: 11_000,
    wasm: 6_400,
    cpu: 410,
    auto: 1,
  }[backend];
  const tokens = config.training.batch_size * config.model.block_size;
  return {
    backend: backend === 'auto' ? 'cpu' : backend,
    mode,
    steps,
    ms_per_step: (1000 * tokens) / pace,
    tokens_per_second: pace,
    dispatches_per_step: webgpu ? (mode === 'plain' ? 1_210 : 64) : null,
    submits_per_step: webgpu ? (replayed ? 1 : 81) : null,
    gpu_bytes: webgpu ? 24_300_000 : null,
    losses: Array.from(
      { length: steps },
      (_, i) => 4 * Math.exp(-i / 20) + (backend === 'cpu' ? 1e-6 : 0),
    ),
  };
}
