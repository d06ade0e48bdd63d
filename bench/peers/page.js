/**
 * Measures the training step of a peer at the bench's configurations, on WebGPU.
 *
 *     bench.html?peer=tfjs|jax|nanogpt|nanogpt_mixed&config=S&seconds=20&heads=4
 *
 * `heads` replaces the number of heads. One configuration per page is fairer, because several share
 * tfjs's pool of buffers. Losses are read every 10 steps, or after each step that takes more than
 * 200 ms; `ms` is the median over such groups. Steps are timed for `seconds`, but at least one after
 * the warm-up; start and compilation come before and have no time limit. `window.result` gives the
 * rows, as in the bench. `window.keepRows` receives what is known so far, so that a page that is
 * closed early still reports how long it compiled.
 */
import { CONFIGS } from '../configs.ts';
import { mean, median } from '../statistics.ts';

const PEERS = {
  tfjs: () => import('./tfjs.js').then(({ start }) => start),
  jax: () => import('./jax.js').then(({ start }) => start),
  nanogpt: () =>
    import('./nanogpt.js').then(
      ({ start }) =>
        (sizes) =>
          start(sizes, false),
    ),
  nanogpt_mixed: () =>
    import('./nanogpt.js').then(
      ({ start }) =>
        (sizes) =>
          start(sizes, true),
    ),
};
const READ_EVERY = 10;
const SLOW_MS = 200;
const MOST_GROUPS = 60;
/** Milliseconds between two reports of the row so far. */
const KEEP_MS = 2000;

/** `keep` receives the row so far. */
async function measure({ peer, config, seconds, heads }, keep) {
  const load = PEERS[peer];
  const sizes = sizesOf(config, heads);
  if (!load) throw new Error(`There is no peer ${peer}: use ${Object.keys(PEERS).join(', ')}.`);
  const begin = performance.now();
  const row = emptyRow(peer, config);
  const update = (changes) => {
    Object.assign(row, changes);
    return keep(row);
  };
  await update({});
  const run = await (await load())(sizes);
  await update({
    peer: run.name,
    mode: heads > 0 ? `${run.mode}, ${heads} heads` : run.mode,
    startMs: performance.now() - begin,
    parameters: run.parameters,
    adapter: run.adapter,
  });
  await warmUp(run, begin, update);
  await timeSteps({ run, sizes, seconds, row, update });
  return row;
}

function sizesOf(config, heads) {
  const sizes = CONFIGS[config];
  if (!sizes) {
    const known = Object.keys(CONFIGS).join(', ');
    throw new Error(`There is no configuration ${config}: use ${known}.`);
  }
  return heads > 0 ? { ...sizes, n_head: heads } : sizes;
}

function emptyRow(peer, config) {
  return {
    peer,
    config,
    backend: 'webgpu',
    mode: peer,
    ms: null,
    meanMs: null,
    steps: 0,
    tokensPerSec: null,
    gpuBytes: null,
    // Loading the code, starting the device, making the weights.
    startMs: null,
    // The first step compiles.
    firstStepMs: null,
    // Some peers compile or allocate in the second step too.
    secondStepMs: null,
    firstLossMs: null,
    firstLoss: null,
    lastLoss: null,
    parameters: null,
    browser: navigator.userAgent,
    adapter: '',
  };
}

/** The first two steps. */
async function warmUp(run, begin, update) {
  const started = performance.now();
  const loss = await run.read(run.step());
  const first = performance.now();
  await update({
    firstStepMs: first - started,
    firstLossMs: first - begin,
    firstLoss: loss,
    lastLoss: loss,
  });
  await run.read(run.step());
  await update({ secondStepMs: performance.now() - first });
}

async function timeSteps({ run, sizes, seconds, row, update }) {
  const end = performance.now() + 1000 * seconds;
  const group = async (size) => {
    const start = performance.now();
    for (let i = 1; i < size; i++) run.step().dispose();
    row.lastLoss = await run.read(run.step());
    return (performance.now() - start) / size;
  };
  const readEvery = (await group(1)) > SLOW_MS ? 1 : READ_EVERY;
  // tfjs's pool of buffers grows while more steps are in flight. Slow peers have none in flight.
  if (readEvery > 1) await group(readEvery);
  const groups = [];
  let kept = 0;
  do {
    groups.push(await group(readEvery));
    const ms = median(groups);
    Object.assign(row, {
      ms,
      meanMs: mean(groups),
      steps: readEvery * groups.length,
      tokensPerSec: (1000 * sizes.batch_size * sizes.block_size) / ms,
      gpuBytes: run.gpuBytes(),
    });
    if (performance.now() - kept > KEEP_MS) {
      await update({});
      kept = performance.now();
    }
  } while (performance.now() < end && groups.length < MOST_GROUPS);
}

async function runAll() {
  const query = new URLSearchParams(location.search);
  const peer = query.get('peer') ?? 'tfjs';
  const seconds = Number(query.get('seconds') ?? 20);
  const heads = Number(query.get('heads') ?? 0);
  const rows = [];
  const keep = (...more) => window.keepRows?.([...rows, ...more]);
  for (const config of (query.get('config') ?? 'T,S,M').split(',')) {
    let last = null;
    const keepUnfinished = (row) => {
      last = row;
      return keep({ ...row, unfinished: true });
    };
    try {
      rows.push(await measure({ peer, config, seconds, heads }, keepUnfinished));
    } catch (error) {
      rows.push({
        ...last,
        peer: last?.peer ?? peer,
        config,
        backend: 'webgpu',
        mode: last?.mode ?? peer,
        error: String(error?.message ?? error),
      });
    }
    await keep();
    console.log(JSON.stringify(rows.at(-1)));
  }
  return rows;
}
window.result = runAll();
