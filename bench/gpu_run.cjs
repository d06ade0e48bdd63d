/**
 * The bench on a GPU machine that has neither network nor node_modules: README.md says how it gets there.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_run.cjs OUTDIR SECONDS QUERY...
 *
 * Each QUERY is one page (see bench_page.ts), for example 'config=T,S,M&backend=webgpu&profile=1'. Rows go to
 * OUTDIR/bench.json as they come, the tables to standard output and OUTDIR/bench.txt. BENCH_DIST serves another folder (dist-peers).
 */
const { execFileSync } = require('child_process'), { mkdirSync, writeFileSync } = require('fs'), { dirname, join } = require('path');

// Where ../shared/gpu unpacks itself.
const home = process.env.GPU_HOME ?? '/tmp/gpu';
const { chromium } = require(join(home, 'node_modules/playwright-core'));
const [out, seconds, ...queries] = process.argv.slice(2);
if (!out || !(Number(seconds) > 0) || queries.length === 0) {
  console.error("Usage: gpu_run.cjs OUTDIR SECONDS 'config=T,S,M&backend=webgpu' ...");
  process.exit(2);
}

(async () => {
  const { drive } = await import('./drive.mjs'), { tables } = await import('./table.mjs');
  const [executablePath, ...lines] = execFileSync('bash', [join(home, 'remote.sh'), 'flags'], { encoding: 'utf8' }).trim().split('\n');
  // A flag set is one line of several flags.
  const args = lines.flatMap((line) => line.split(/ (?=--)/));
  mkdirSync(out, { recursive: true });
  const rows = await drive({
    launch: () => chromium.launch({ executablePath, args, env: process.env }), folder: process.env.BENCH_DIST ?? join(dirname(require.main.filename), '../dist-bench'), queries, seconds: Number(seconds),
    log: (line) => console.log(line), partial: (all) => writeFileSync(join(out, 'bench.json'), JSON.stringify(all, null, 1)),
  });
  const text = tables(rows);
  console.log(text);
  writeFileSync(join(out, 'bench.txt'), `${text}\n`);
  process.exit(rows.every((row) => row.error !== undefined) ? 1 : 0);
})().catch((error) => { console.error(error); process.exit(1); });
