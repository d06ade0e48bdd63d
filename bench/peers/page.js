/**
 * `bench.html?peer=tfjs|jax|nanogpt|nanogpt_mixed&config=S&seconds=20&heads=4`: a step of a peer at
 * the bench's configurations, on WebGPU. `heads` replaces the number of heads. One configuration a
 * page is fairer: several share tfjs's pool of buffers. Losses are read every 10 steps, every step
 * where one takes more than 200 ms; `ms` is the median over such groups. Steps are timed for
 * `seconds`, at least one after the warm-up; starting and compiling come before, and cannot be cut
 * short. Rows come as `window.result`, as the bench's own do, and what is known so far goes to
 * `window.keepRows`: a page that is ended before its time still tells how long it compiled.
 */
import { CONFIGS } from '../configs.ts';
import { mean, median } from '../statistics.ts';

const PEERS = {
  tfjs: () => import('./tfjs.js').then((m) => m.start),
  jax: () => import('./jax.js').then((m) => m.start),
  nanogpt: () => import('./nanogpt.js').then((m) => (c) => m.start(c, false)),
  nanogpt_mixed: () => import('./nanogpt.js').then((m) => (c) => m.start(c, true)),
};
const READ_EVERY = 10;
const SLOW_MS = 200;
const MOST_GROUPS = 60;
const KEEP_MS = 2000;

/** `keep` is given the row as far as it goes. */
async function measure({ peer, config, seconds, heads }, keep) {
  const load = PEERS[peer];
  const known = CONFIGS[config];
  const c = { ...known, ...(heads > 0 ? { n_head: heads } : {}) };
  if (!load || !known)
    throw new Error(
      `There is no ${peer} or no ${config}: peers are ${Object.keys(PEERS).join(', ')}, configurations ${Object.keys(CONFIGS).join(', ')}.`,
    );
  const begin = performance.now();
  // `startMs`: loading, the device, the weights; `firstStepMs`: the first step, which compiles;
  // `secondStepMs`: what is compiled or allocated only then is in it.
  const row = {
    peer,
    config,
    backend: 'webgpu',
    mode: peer,
    ms: null,
    meanMs: null,
    steps: 0,
    tokensPerSec: null,
    gpuBytes: null,
    startMs: null,
    firstStepMs: null,
    secondStepMs: null,
    firstLossMs: null,
    firstLoss: null,
    lastLoss: null,
    parameters: null,
    browser: navigator.userAgent,
    adapter: '',
  };
  const tell = (changes) => {
    Object.assign(row, changes);
    return keep(row);
  };
  await tell({});
  const run = await (await load())(c);
  const started = performance.now();
  await tell({
    peer: run.name,
    mode: heads > 0 ? `${run.mode}, ${heads} heads` : run.mode,
    startMs: started - begin,
    parameters: run.parameters,
    adapter: run.adapter,
  });
  const loss = await run.read(run.step());
  const first = performance.now();
  await tell({
    firstStepMs: first - started,
    firstLossMs: first - begin,
    firstLoss: loss,
    lastLoss: loss,
  });
  await run.read(run.step());
  const secondStepMs = performance.now() - first;
  const end = performance.now() + 1000 * seconds;
  await tell({ secondStepMs });
  const group = async (size) => {
    const start = performance.now();
    for (let i = 1; i < size; i++) run.step().dispose();
    row.lastLoss = await run.read(run.step());
    return (performance.now() - start) / size;
  };
  // What is slow by its second step needs no more of them to warm up, and none in flight to hide
  // the wait for a loss; tfjs's pool of buffers grows for a while.
  const third = await group(1);
  const readEvery = third > SLOW_MS ? 1 : READ_EVERY;
  const groups = [];
  if (readEvery > 1) await group(readEvery);
  for (
    let kept = 0;
    groups.length === 0 || (performance.now() < end && groups.length < MOST_GROUPS);
  ) {
    groups.push(await group(readEvery));
    const ms = median(groups);
    Object.assign(row, {
      ms,
      meanMs: mean(groups),
      steps: readEvery * groups.length,
      tokensPerSec: (1000 * c.batch_size * c.block_size) / ms,
      gpuBytes: run.gpuBytes(),
    });
    if (performance.now() - kept > KEEP_MS) {
      await keep(row);
      kept = performance.now();
    }
  }
  return row;
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
    try {
      rows.push(
        await measure({ peer, config, seconds, heads }, (row) => {
          last = row;
          return keep({ ...row, unfinished: true });
        }),
      );
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
