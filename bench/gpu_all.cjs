/**
 * Measures everything in README's table in one call, on a GPU machine without network and
 * node_modules. If the call is killed, the rows so far are kept.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_all.cjs OUTDIR SECONDS [--only f32,fp16] [--skip ops] [--tiny]
 *
 * Runs the entries of gpu_plan.mjs one after another, each within its own time limit and all within
 * SECONDS, with the builds that are there: dist-bench, dist, dist-peers. OUTDIR/all.json is
 * rewritten after each row, OUTDIR/all.txt (the tables) after each entry. Entries that fail, are cut
 * short or are skipped have the reason. `--tiny` is a dry run (with SOFTWARE=1, on software
 * adapters).
 */
const { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } = require('fs');
const { join } = require('path');
const { parseArgs } = require('util');
const { probeOnce, runMain } = require('./gpu_browser.cjs');
const { browsers, LEAST_SECONDS, root, runEntry, sleep } = require('./gpu_entries.cjs');

const USAGE = 'Usage: gpu_all.cjs OUTDIR SECONDS [--only f32,fp16] [--skip ops] [--tiny]';
const MACHINE_SECONDS = 30;
const log = (line) => console.log(line);

/** The command line; null if it is invalid. */
function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      skip: { type: 'string', default: '' },
      tiny: { type: 'boolean', default: false },
    },
  });
  const [out, total] = positionals;
  return out && Number(total) > 0 ? { ...values, out, total: Number(total) } : null;
}

/** The report of a call, and its files. */
class Report {
  #out;
  #content;

  constructor(out, entries) {
    this.#out = out;
    this.#content = {
      begun: new Date().toISOString(),
      machine: null,
      entries: entries.map(({ name }) => ({
        name,
        status: 'not started',
        why: null,
        seconds: 0,
        rows: [],
      })),
    };
    mkdirSync(out, { recursive: true });
    this.save();
  }

  get entries() {
    return this.#content.entries;
  }

  set machine(machine) {
    this.#content.machine = machine;
    this.save();
  }

  /** Renames a complete file, so that all.json is never cut off if the process is killed. */
  save() {
    const path = join(this.#out, 'all.json');
    writeFileSync(`${path}.new`, JSON.stringify(this.#content, null, 1));
    renameSync(`${path}.new`, path);
  }

  saveTables(tables) {
    const texts = this.entries
      .filter(({ rows }) => rows.length > 0)
      .map(({ name, status, seconds, rows }) => {
        return `${name} (${status}, ${seconds.toFixed(0)} s)\n${tables(rows)}`;
      });
    const machine = JSON.stringify(this.#content.machine);
    writeFileSync(join(this.#out, 'all.txt'), `${[machine, ...texts].join('\n\n')}\n`);
  }

  print() {
    const path = join(this.#out, 'all.txt');
    if (existsSync(path)) log(readFileSync(path, 'utf8'));
    for (const { name, status, why, seconds } of this.entries)
      log(`${name}: ${status}, ${seconds.toFixed(0)} s${why ? `. ${why}` : ''}`);
  }
}

/** What WebGPU and WebGL run on; `{ error }` if the browser does not answer. */
async function findMachine() {
  const { serveFolder } = await import('./drive.mjs');
  const server = await serveFolder(join(root, 'dist-bench'));
  const { launch, closeAll } = browsers();
  const error = `The browser did not answer in ${MACHINE_SECONDS} seconds.`;
  try {
    return await Promise.race([
      machineOf(launch, server.url),
      sleep(MACHINE_SECONDS).then(() => ({ error })),
    ]);
  } catch (failure) {
    return { error: failure.message.split('\n')[0] };
  } finally {
    await closeAll();
    server.close();
  }
}

/** `software` names the APIs that run on the processor: their times say nothing about the GPU. */
async function machineOf(launch, url) {
  const browser = await launch();
  const page = await browser.newPage();
  await page.goto(`${url}bench.html?config=none`);
  const found = await page.evaluate(async () => {
    const adapter = await window.navigator.gpu?.requestAdapter({
      powerPreference: 'high-performance',
    });
    const gl = window.document.createElement('canvas').getContext('webgl2');
    const names = gl?.getExtension('WEBGL_debug_renderer_info');
    const info = adapter?.info;
    return {
      webgpu: info
        ? [info.vendor, info.architecture, info.description].filter(Boolean).join(' ')
        : null,
      features: [...(adapter?.features ?? [])].sort(),
      webgl: gl ? gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : null,
      isolated: window.crossOriginIsolated,
    };
  });
  const software = ['webgpu', 'webgl'].filter((name) =>
    /swiftshader|llvmpipe|lavapipe/iu.test(found[name] ?? ''),
  );
  return { ...found, software, browser: browser.version() };
}

/** Runs one entry within the time that is left and writes the result to its part of the report. */
async function runReported(entry, result, { left, save }) {
  const seconds = Math.min(entry.seconds, left() - LEAST_SECONDS);
  if (seconds < LEAST_SECONDS) {
    result.why = 'Skipped: out of time.';
    return;
  }
  log(`\n${entry.name}: at most ${seconds.toFixed(0)} s, ${left().toFixed(0)} s left`);
  const start = Date.now();
  const keep = (rows) => {
    result.rows = rows.map((row) => ({ ...row, entry: entry.name }));
    save();
  };
  result.status = 'running';
  try {
    await runEntry(entry, { seconds, log, keep });
    result.status = 'done';
  } catch (error) {
    const some = result.rows.some((row) => row.error === undefined);
    result.status = some ? 'partly done' : 'failed';
    result.why = error.message.split('\n')[0];
    log(`${entry.name}: ${result.why}`);
  }
  result.seconds = (Date.now() - start) / 1000;
  save();
}

async function main() {
  const options = readOptions();
  if (!options) {
    console.error(USAGE);
    return 2;
  }
  const { planOf, selectEntries } = await import('./gpu_plan.mjs');
  const { tables } = await import('./table.mjs');
  const begin = Date.now();
  const left = () => options.total - (Date.now() - begin) / 1000;
  const skipped = options.skip.split(',');
  const selected = selectEntries(planOf(options), options.only);
  const entries = selected.filter(({ name }) => !skipped.includes(name));
  const report = new Report(options.out, entries);
  const save = () => report.save();
  log(probeOnce());
  if (existsSync(join(root, 'dist-bench'))) {
    const machine = await findMachine();
    report.machine = machine;
    log(JSON.stringify(machine));
  }
  for (const [i, entry] of entries.entries()) {
    await runReported(entry, report.entries[i], { left, save });
    report.saveTables(tables);
  }
  report.save();
  report.print();
  const rows = report.entries.flatMap((entry) => entry.rows);
  return rows.some((row) => row.error === undefined) ? 0 : 1;
}

runMain(main);
