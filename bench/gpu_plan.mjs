/**
 * What gpu_all.cjs runs, most important first: the table of README, then what stands behind it.
 * `seconds` bounds an entry, `each` one of its pages. `tiny` is the dry run: the same entries at a
 * size that software adapters run in seconds.
 */
const SUBGROUPS = '--enable-dawn-features=vulkan_enable_f16_on_nvidia,allow_unsafe_apis';

export function planOf({ tiny }) {
  const configs = (...names) => (tiny ? ['tiny'] : names);
  const step = tiny ? '&steps=8&seconds=4' : '';
  const brief = tiny ? '&seconds=1' : '&seconds=6';
  const fp16 = configs('M', 'S', 'T').map(
    (config) => `config=${config}&backend=webgpu&precision=fp16&peak=0${step}`,
  );
  const peer = (name, seconds, queries) => ({
    name,
    kind: 'page',
    dist: 'dist-peers',
    seconds: tiny ? 30 : seconds,
    each: tiny ? 15 : seconds / 2,
    queries: queries.map((query) => `peer=${query}${brief}`),
  });
  const plain = { T: 100, S: 100, M: 20, tiny: 5 };
  const tokens = tiny ? '&tokens=16' : '';
  return [
    {
      name: 'f32',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 120,
      each: 60,
      queries: configs('T', 'S', 'M').map(
        (config) => `config=${config}&backend=webgpu&profile=1${step}${tiny ? '&peak=64' : ''}`,
      ),
    },
    {
      name: 'pytorch',
      kind: 'pytorch',
      seconds: 120,
      arguments: [
        configs('T', 'S', 'M').join(','),
        '--only',
        'eager_fp32,eager_tf32',
        ...(tiny ? ['--device', 'cpu', '--seconds', '0.1'] : []),
      ],
    },
    { name: 'fp16', kind: 'page', dist: 'dist-bench', seconds: 60, each: 40, queries: fp16 },
    {
      name: 'fp16_subgroups',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 60,
      each: 40,
      queries: fp16,
      flags: SUBGROUPS,
    },
    {
      name: 'validation',
      kind: 'validation',
      dist: 'dist',
      seconds: 90,
      each: 40,
      presets: tiny ? ['names'] : ['classic', 'tiny_tales'],
      precisions: ['no', 'fp16'],
      steps: tiny ? 24 : 1000,
    },
    {
      name: 'validation_subgroups',
      kind: 'validation',
      dist: 'dist',
      seconds: 60,
      each: 40,
      presets: tiny ? ['names'] : ['classic', 'tiny_tales'],
      precisions: ['fp16'],
      steps: tiny ? 24 : 1000,
      flags: SUBGROUPS,
    },
    {
      name: 'generation',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 60,
      each: 40,
      queries: ['', '&top_k=50&top_p=0.95'].map(
        (how) => `generate=1&config=${configs('S')[0]}&batch=1,${tiny ? 4 : 64}${how}${tokens}`,
      ),
    },
    {
      name: 'start',
      kind: 'start',
      dist: 'dist',
      seconds: 60,
      presets: tiny ? ['names'] : ['names', 'classic'],
    },
    {
      name: 'losses',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 210,
      each: 90,
      queries: configs('T', 'M', 'S').map(
        (config) => `reference=1&config=${config}&steps=${plain[config]}&seconds=60`,
      ),
    },
    {
      name: 'ladder',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 180,
      each: 60,
      queries: ['webgpu', 'webgl', 'wasm'].flatMap((backend) =>
        configs('T', 'S', 'M').map(
          (config) =>
            `ladder=1&config=${config}&backend=${backend}&steps=${tiny ? 8 : 100}&seconds=10`,
        ),
      ),
    },
    {
      name: 'products',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 60,
      each: 50,
      queries: configs('squares', 'M', 'S', 'T', 'presets').map(
        (config) => `products=1&config=${config}`,
      ),
    },
    peer(
      'nanogpt',
      60,
      configs('T', 'S', 'M').map((config) => `nanogpt&config=${config}`),
    ),
    peer(
      'nanogpt_mixed',
      60,
      ['T', 'M', 'S&heads=4'].map((config) => `nanogpt_mixed&config=${config}`),
    ),
    peer(
      'tfjs',
      90,
      configs('T', 'S', 'M').map((config) => `tfjs&config=${config}`),
    ),
    peer(
      'jax',
      180,
      configs('T', 'S', 'M').map((config) => `jax&config=${config}`),
    ),
    {
      name: 'ops',
      kind: 'page',
      dist: 'dist-bench',
      seconds: 400,
      each: 240,
      queries: configs('M', 'S').map(
        (config) =>
          `ops=1&config=${config}${tiny ? '&only=step_sums,dropout_add,adam_update,attention_grad' : ''}`,
      ),
    },
  ];
}

/** The entries named, in the order of the plan; throws where one is not in it. */
export function chosen(plan, only) {
  const names = only ? only.split(',') : plan.map((entry) => entry.name);
  const unknown = names.find((name) => !plan.some((entry) => entry.name === name));
  if (unknown !== undefined)
    throw new Error(
      `There is no entry ${unknown}: there are ${plan.map((entry) => entry.name).join(', ')}.`,
    );
  return plan.filter((entry) => names.includes(entry.name));
}
