/**
 * The whole table of README on a GPU machine that has neither network nor node_modules, in one call
 * that cannot lose what it has done.
 *
 *     bash /tmp/gpu/remote.sh node bench/gpu_all.cjs OUTDIR SECONDS [--only f32,fp16] [--skip ops] [--tiny]
 *
 * Runs the entries of gpu_plan.mjs one after the other, each within its own limit and all within
 * SECONDS, with what has been built: dist-bench, dist, dist-peers. OUTDIR/all.json is written anew
 * with each row that comes, OUTDIR/all.txt (the tables) after each entry. What fails, is cut short
 * or does not get its turn stands there with the reason. `--tiny`: the dry run (with SOFTWARE=1 for
 * software adapters).
 */
const { spawn, spawnSync } = require('child_process');
const {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  writeFileSync,
} = require('fs');
const { tmpdir } = require('os');
const { dirname, join } = require('path');
const { parseArgs } = require('util');
const { gpuBrowser, home, runMain } = require('./gpu_browser.cjs');

const root = dirname(dirname(module.filename));
const USAGE = 'Usage: gpu_all.cjs OUTDIR SECONDS [--only f32,fp16] [--skip ops] [--tiny]';
const log = (line) => console.log(line);
/** Below this many seconds no entry begins, and so many are kept for closing a browser. */
const LEAST = 5;

/** Browsers started through it are closed by `closeAll`, however their work ended. */
function browsers(flags) {
  const launch = gpuBrowser([process.env.EXTRA_FLAGS, flags].filter(Boolean).join(' '));
  const open = [];
  return {
    launch: async () => {
      const browser = await launch();
      open.push(browser);
      return browser;
    },
    closeAll: () =>
      Promise.race([Promise.allSettled(open.map((browser) => browser.close())), sleep(LEAST)]),
  };
}
const sleep = (seconds) =>
  new Promise((done) => {
    setTimeout(done, 1000 * seconds).unref();
  });

/**
 * What WebGPU and WebGL run on, by the browser's own word; `software`: those that run on the
 * processor, whose figures say nothing about the card.
 */
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
    return {
      webgpu: adapter
        ? [adapter.info.vendor, adapter.info.architecture, adapter.info.description]
            .filter(Boolean)
            .join(' ')
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

/**
 * Rows of pytorch_ladder.py, which writes them as they come. The libraries that came for the
 * browser are not for Python.
 */
function pytorch(entry, seconds, keep) {
  const file = join(mkdtempSync(join(tmpdir(), 'torch-')), 'torch.json');
  const rows = () => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
  const LD_LIBRARY_PATH = (process.env.LD_LIBRARY_PATH ?? '')
    .split(':')
    .filter((path) => path && !path.startsWith(home))
    .join(':');
  return new Promise((done, failed) => {
    const child = spawn(
      'python3',
      [join(root, 'bench/peers/pytorch_ladder.py'), file, ...entry.arguments],
      { env: { ...process.env, LD_LIBRARY_PATH }, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    let late = false;
    child.stderr.on('data', (data) => {
      said = (said + String(data)).slice(-2000);
    });
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, 1000 * seconds);
    child.on('error', failed);
    child.on('close', (status) => {
      clearTimeout(timer);
      keep(rows());
      if (late) failed(new Error(`It took longer than ${Math.round(seconds)} seconds.`));
      else if (status !== 0)
        failed(new Error(said.trim().split('\n').at(-1) || `python3 ended with ${status}.`));
      else done();
    });
  });
}

/** Runs one entry; `keep` is given its rows so far. Throws what ended it early. */
async function runEntry(entry, seconds, keep) {
  if (entry.kind === 'pytorch') {
    await pytorch(entry, seconds, keep);
    return;
  }
  const folder = join(root, entry.dist);
  if (!existsSync(folder))
    throw new Error(`${entry.dist} is not there: build it and carry it along.`);
  const { launch, closeAll } = browsers(entry.flags);
  const late = sleep(seconds).then(() => {
    throw new Error(`It took longer than ${Math.round(seconds)} seconds.`);
  });
  late.catch(() => undefined);
  try {
    if (entry.kind === 'start') {
      const { startTimes } = await import('./start.mjs');
      await Promise.race([
        late,
        startTimes({ launch, folder, presets: entry.presets, seconds, log, keep }),
      ]);
    } else if (entry.kind === 'validation') {
      const { validationLosses } = await import('./validation.mjs');
      const rows = await Promise.race([
        late,
        validationLosses({ ...entry, launch, folder, seconds: entry.each, log, keep }),
      ]);
      const failures = rows.filter((row) => row.error !== undefined);
      if (failures.length > 0)
        throw new Error(
          `${failures.length} of ${rows.length} runs failed, for example: ${failures[0].error}`,
        );
    } else {
      const { drive } = await import('./drive.mjs');
      // The pages keep their limits themselves; `late` is for a browser that does not even start.
      const rows = await Promise.race([
        late,
        drive({
          launch,
          folder,
          queries: entry.queries,
          seconds: entry.each,
          deadline: Date.now() + 1000 * (seconds - LEAST),
          log,
          partial: keep,
        }),
      ]);
      keep(rows);
      const failures = rows.filter((row) => row.error !== undefined);
      if (failures.length > 0)
        throw new Error(
          `${failures.length} of ${rows.length} rows failed, for example: ${failures[0].error}`,
        );
    }
  } finally {
    await closeAll();
  }
}

runMain(async () => {
  const {
    values,
    positionals: [out, total],
  } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      skip: { type: 'string' },
      tiny: { type: 'boolean', default: false },
    },
  });
  if (!out || !(Number(total) > 0)) {
    console.error(USAGE);
    return 2;
  }
  const { chosen, planOf } = await import('./gpu_plan.mjs');
  const { tables } = await import('./table.mjs');
  const { serveFolder } = await import('./drive.mjs');
  const begin = Date.now();
  const left = () => Number(total) - (Date.now() - begin) / 1000;
  const skip = (values.skip ?? '').split(',');
  const entries = chosen(planOf(values), values.only).filter((entry) => !skip.includes(entry.name));
  const report = {
    begun: new Date(begin).toISOString(),
    machine: null,
    entries: entries.map(({ name }) => ({
      name,
      status: 'not begun',
      why: null,
      seconds: 0,
      rows: [],
    })),
  };
  mkdirSync(out, { recursive: true });
  // By a new name first: whoever is ended in the middle of writing leaves the file before it whole.
  const save = () => {
    writeFileSync(join(out, 'all.json.new'), JSON.stringify(report, null, 1));
    renameSync(join(out, 'all.json.new'), join(out, 'all.json'));
  };
  save();
  // Which flags give the GPU to both is tried once a machine.
  if (!existsSync(join(home, 'flags')))
    log(
      spawnSync('bash', [join(home, 'remote.sh'), 'probe', mkdtempSync(join(tmpdir(), 'probe-'))], {
        encoding: 'utf8',
        timeout: 60_000,
      }).stdout ?? '',
    );
  if (existsSync(join(root, 'dist-bench'))) {
    const server = await serveFolder(join(root, 'dist-bench'));
    const { launch, closeAll } = browsers('');
    report.machine = await Promise.race([
      machineOf(launch, server.url),
      sleep(30).then(() => ({ error: 'The browser did not answer in 30 seconds.' })),
    ]).catch((error) => ({ error: error.message.split('\n')[0] }));
    await closeAll();
    server.close();
    log(JSON.stringify(report.machine));
  }
  for (const [i, entry] of entries.entries()) {
    const told = report.entries[i];
    const seconds = Math.min(entry.seconds, left() - LEAST);
    const start = Date.now();
    if (seconds < LEAST) {
      told.why = 'Its turn did not come in the time given.';
      continue;
    }
    log(`\n${entry.name}: at most ${seconds.toFixed(0)} s, ${left().toFixed(0)} s left`);
    told.status = 'under way';
    try {
      await runEntry(entry, seconds, (rows) => {
        told.rows = rows.map((row) => ({ ...row, entry: entry.name }));
        save();
      });
      told.status = 'done';
    } catch (error) {
      told.status = told.rows.some((row) => row.error === undefined) ? 'in part' : 'failed';
      told.why = error.message.split('\n')[0];
      log(`${entry.name}: ${told.why}`);
    }
    told.seconds = (Date.now() - start) / 1000;
    save();
    writeFileSync(
      join(out, 'all.txt'),
      `${JSON.stringify(report.machine)}\n\n${report.entries
        .filter((e) => e.rows.length > 0)
        .map((e) => `${e.name} (${e.status}, ${e.seconds.toFixed(0)} s)\n${tables(e.rows)}`)
        .join('\n\n')}\n`,
    );
  }
  save();
  if (existsSync(join(out, 'all.txt'))) log(readFileSync(join(out, 'all.txt'), 'utf8'));
  for (const { name, status, why, seconds } of report.entries)
    log(`${name}: ${status}, ${seconds.toFixed(0)} s${why ? `. ${why}` : ''}`);
  return report.entries.some((entry) => entry.rows.some((row) => row.error === undefined)) ? 0 : 1;
});
