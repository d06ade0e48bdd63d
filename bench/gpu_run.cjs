/**
 * Runs the bench on a GPU machine without network and node_modules; README.md says how it gets
 * there.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_run.cjs OUTDIR SECONDS QUERY...
 *
 * Each QUERY is one page (see bench_page.ts), for example 'config=T,S,M&backend=webgpu&profile=1'.
 * Rows are written to OUTDIR/bench.json as they arrive, the tables to standard output and
 * OUTDIR/bench.txt. BENCH_DIST serves another folder (dist-peers).
 */
const { mkdirSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { gpuBrowser, runMain } = require('./gpu_browser.cjs');

const [out, seconds, ...queries] = process.argv.slice(2);
if (!out || !(Number(seconds) > 0) || queries.length === 0) {
  console.error("Usage: gpu_run.cjs OUTDIR SECONDS 'config=T,S,M&backend=webgpu' ...");
  process.exit(2);
}

runMain(async () => {
  const { drive } = await import('./drive.mjs');
  const { tables } = await import('./table.mjs');
  mkdirSync(out, { recursive: true });
  const rows = await drive({
    launch: gpuBrowser(),
    folder: process.env.BENCH_DIST ?? join(dirname(dirname(module.filename)), 'dist-bench'),
    queries,
    seconds: Number(seconds),
    log: (line) => console.log(line),
    partial: (all) => writeFileSync(join(out, 'bench.json'), JSON.stringify(all, null, 1)),
  });
  const text = tables(rows);
  console.log(text);
  writeFileSync(join(out, 'bench.txt'), `${text}\n`);
  return rows.every((row) => row.error !== undefined) ? 1 : 0;
});
