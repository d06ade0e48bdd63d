/**
 * Runs start.mjs on a GPU machine without network and node_modules (see gpu_run.cjs), on the built
 * page in dist.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_start.cjs OUTDIR SECONDS names,classic
 */
const { mkdirSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { gpuBrowser, runMain } = require('./gpu_browser.cjs');

const [out, seconds, presets] = process.argv.slice(2);
if (!out || !(Number(seconds) > 0) || !presets) {
  console.error('Usage: gpu_start.cjs OUTDIR SECONDS names,classic');
  process.exit(2);
}

runMain(async () => {
  const { startTimes } = await import('./start.mjs');
  const rows = await startTimes({
    launch: gpuBrowser(),
    folder: process.env.DIST ?? join(dirname(dirname(module.filename)), 'dist'),
    presets: presets.split(','),
    seconds: Number(seconds),
    log: (line) => console.log(line),
  });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'start.json'), JSON.stringify(rows, null, 1));
  return 0;
});
