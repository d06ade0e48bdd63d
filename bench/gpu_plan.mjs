/**
 * What gpu_all.cjs runs, the most important first: the table of README, then the measurements that
 * support it. `seconds` limits an entry, `each` one of its pages. With `tiny`, the same entries run
 * at a size that takes seconds on software adapters.
 */
import gpuBrowser from './gpu_browser.cjs';

const { SUBGROUP_FLAGS } = gpuBrowser;

export function planOf({ tiny }) {
  return [
    ...trainingEntries(tiny),
    ...pageEntries(tiny),
    ...comparisonEntries(tiny),
    ...peerEntries(tiny),
    opsEntry(tiny),
  ];
}

/** The selected entries in the order of the plan. Throws if one does not exist. */
export function selectEntries(plan, only) {
  const known = plan.map(({ name }) => name);
  const names = only ? only.split(',') : known;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`There is no entry ${unknown}. The entries are ${known.join(', ')}.`);
  return plan.filter(({ name }) => names.includes(name));
}

const configsOf = (tiny, ...names) => (tiny ? ['tiny'] : names);

const benchEntry = (name, [seconds, each], queries) => ({
  name,
  kind: 'page',
  dist: 'dist-bench',
  seconds,
  each,
  queries,
});

/** Training steps in each precision, and PyTorch's. */
function trainingEntries(tiny) {
  const brief = tiny ? '&steps=8&seconds=4' : '';
  const f32 = configsOf(tiny, 'T', 'S', 'M').map(
    (config) => `config=${config}&backend=webgpu&profile=1${brief}${tiny ? '&peak=64' : ''}`,
  );
  const fp16 = configsOf(tiny, 'M', 'S', 'T').map(
    (config) => `config=${config}&backend=webgpu&precision=fp16&peak=0${brief}`,
  );
  const pytorch = [configsOf(tiny, 'T', 'S', 'M').join(','), '--only', 'eager_fp32,eager_tf32'];
  if (tiny) pytorch.push('--device', 'cpu', '--seconds', '0.1');
  return [
    benchEntry('f32', [120, 60], f32),
    { name: 'pytorch', kind: 'pytorch', seconds: 120, arguments: pytorch },
    benchEntry('fp16', [60, 40], fp16),
    { ...benchEntry('fp16_subgroups', [60, 40], fp16), flags: SUBGROUP_FLAGS },
  ];
}

/** Measurements on the built page, and generation. */
function pageEntries(tiny) {
  const validation = {
    kind: 'validation',
    dist: 'dist',
    each: 40,
    presets: tiny ? ['names'] : ['classic', 'tiny_tales'],
    steps: tiny ? 24 : 1000,
  };
  const [config] = configsOf(tiny, 'S');
  const batch = tiny ? '1,4&tokens=16' : '1,64';
  const generation = ['', '&top_k=50&top_p=0.95'].map(
    (sampling) => `generate=1&config=${config}&batch=${batch}${sampling}`,
  );
  return [
    { ...validation, name: 'validation', seconds: 90, precisions: ['no', 'fp16'] },
    {
      ...validation,
      name: 'validation_subgroups',
      seconds: 60,
      precisions: ['fp16'],
      flags: SUBGROUP_FLAGS,
    },
    benchEntry('generation', [60, 40], generation),
    {
      name: 'start',
      kind: 'start',
      dist: 'dist',
      seconds: 60,
      presets: tiny ? ['names'] : ['names', 'classic'],
    },
  ];
}

/** Comparisons with plain tfjs: losses, steps and matmuls. */
function comparisonEntries(tiny) {
  const plainSteps = { T: 100, S: 100, M: 20, tiny: 5 };
  const losses = configsOf(tiny, 'T', 'M', 'S').map(
    (config) => `reference=1&config=${config}&steps=${plainSteps[config]}&seconds=60`,
  );
  const steps = tiny ? 8 : 100;
  const ladder = ['webgpu', 'webgl', 'wasm'].flatMap((backend) =>
    configsOf(tiny, 'T', 'S', 'M').map(
      (config) => `ladder=1&config=${config}&backend=${backend}&steps=${steps}&seconds=10`,
    ),
  );
  const matmuls = configsOf(tiny, 'squares', 'M', 'S', 'T', 'presets').map(
    (config) => `matmuls=1&config=${config}`,
  );
  return [
    benchEntry('losses', [210, 90], losses),
    benchEntry('ladder', [180, 60], ladder),
    benchEntry('matmuls', [60, 50], matmuls),
  ];
}

/** Other implementations in the browser, built into dist-peers. */
function peerEntries(tiny) {
  const configs = configsOf(tiny, 'T', 'S', 'M');
  const entry = (peer, seconds, asked = configs) => ({
    name: peer,
    kind: 'page',
    dist: 'dist-peers',
    seconds: tiny ? 30 : seconds,
    each: tiny ? 15 : seconds / 2,
    queries: asked.map((config) => `peer=${peer}&config=${config}&seconds=${tiny ? 1 : 6}`),
  });
  return [
    entry('nanogpt', 60),
    // Its mixed precision does not support heads of 16 columns.
    entry('nanogpt_mixed', 60, ['T', 'M', 'S&heads=4']),
    entry('tfjs', 90),
    entry('jax', 180),
  ];
}

/** Single operations. */
function opsEntry(tiny) {
  const only = tiny ? '&only=step_sums,dropout_add,adam_update,attention_grad' : '';
  const queries = configsOf(tiny, 'M', 'S').map((config) => `ops=1&config=${config}${only}`);
  return benchEntry('ops', [400, 240], queries);
}
