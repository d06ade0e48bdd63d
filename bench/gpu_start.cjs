/**
 * start.mjs on a GPU machine that has neither network nor node_modules (see gpu_run.cjs); dist/ has to be there.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_start.cjs OUTDIR SECONDS names,classic
 */
const { execFileSync } = require('child_process'), { mkdirSync, writeFileSync } = require('fs'), { dirname, join } = require('path');

const home = process.env.GPU_HOME ?? '/tmp/gpu';
const { chromium } = require(join(home, 'node_modules/playwright-core'));
const [out, seconds, presets] = process.argv.slice(2);
if (!out || !(Number(seconds) > 0) || !presets) { console.error('Usage: gpu_start.cjs OUTDIR SECONDS names,classic'); process.exit(2); }

(async () => {
  const { startTimes } = await import('./start.mjs');
  const [executablePath, ...lines] = execFileSync('bash', [join(home, 'remote.sh'), 'flags'], { encoding: 'utf8' }).trim().split('\n'), args = lines.flatMap((line) => line.split(/ (?=--)/));
  const folder = process.env.DIST ?? join(dirname(require.main.filename), '../dist');
  const rows = await startTimes({ launch: () => chromium.launch({ executablePath, args, env: process.env }), folder, presets: presets.split(','), seconds: Number(seconds), log: (line) => console.log(line) });
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'start.json'), JSON.stringify(rows, null, 1));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
