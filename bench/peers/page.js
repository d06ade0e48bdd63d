/**
 * `bench.html?peer=tfjs|jax|nanogpt|nanogpt_mixed&config=S&seconds=20&heads=4`: a step of a peer at the bench's configurations, on WebGPU.
 * `heads` replaces the number of heads. One configuration a page is fairer: several share tfjs's pool of buffers.
 * Losses are read every 10 steps, every 3 where a step takes more than 200 ms; `ms` is the median over such groups. Rows come as `window.result`, as the bench's own do.
 */
import { CONFIGS } from '../configs.ts';

const PEERS = {
  tfjs: () => import('./tfjs.js').then((m) => m.start),
  jax: () => import('./jax.js').then((m) => m.start),
  nanogpt: () => import('./nanogpt.js').then((m) => (c) => m.start(c, false)),
  nanogpt_mixed: () => import('./nanogpt.js').then((m) => (c) => m.start(c, true)),
};
const READ_EVERY = 10, SLOW_MS = 200;

async function measure(peer, config, seconds, heads) {
  const load = PEERS[peer], known = CONFIGS[config], c = { ...known, ...(heads > 0 ? { n_head: heads } : {}) };
  if (!load || !known) throw new Error(`There is no ${peer} or no ${config}: peers are ${Object.keys(PEERS).join(', ')}, configurations ${Object.keys(CONFIGS).join(', ')}.`);
  const begin = performance.now(), run = await (await load())(c);
  const losses = [await run.read(run.step())], firstLossMs = performance.now() - begin, groups = [];
  const second = performance.now();
  await run.read(run.step());
  // Who takes long has no need of many steps to hide the wait for a loss.
  const readEvery = performance.now() - second > SLOW_MS ? 3 : READ_EVERY;
  const group = async () => { for (let i = 1; i < readEvery; i++) run.step().dispose(); return run.read(run.step()); };
  // As many to warm up: tfjs's pool of buffers grows for a while.
  await group();
  for (const end = performance.now() + 1000 * seconds; groups.length < 5 || (performance.now() < end && groups.length < 60);) {
    const start = performance.now();
    losses.push(await group());
    groups.push((performance.now() - start) / readEvery);
  }
  const sorted = [...groups].sort((a, b) => a - b), ms = sorted[sorted.length >> 1];
  return {
    peer: run.name, config, backend: 'webgpu', mode: heads > 0 ? `${run.mode}, ${heads} heads` : run.mode, ms, meanMs: groups.reduce((a, b) => a + b, 0) / groups.length, steps: readEvery * groups.length,
    tokensPerSec: (1000 * c.batch_size * c.block_size) / ms, gpuBytes: run.gpuBytes(), firstLossMs, firstLoss: losses[0], lastLoss: losses.at(-1), parameters: run.parameters,
    browser: navigator.userAgent, adapter: run.adapter,
  };
}

async function runAll() {
  const query = new URLSearchParams(location.search), peer = query.get('peer') ?? 'tfjs', rows = [];
  for (const config of (query.get('config') ?? 'T,S,M').split(',')) {
    try { rows.push(await measure(peer, config, Number(query.get('seconds') ?? 20), Number(query.get('heads') ?? 0))); } catch (error) { rows.push({ peer, config, backend: 'webgpu', mode: peer, error: String(error?.message ?? error) }); }
    console.log(JSON.stringify(rows.at(-1)));
  }
  return rows;
}
window.result = runAll();
