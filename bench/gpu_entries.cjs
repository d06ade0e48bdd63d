/** Runs the entries of gpu_plan.mjs on a GPU machine without network and node_modules. */
const { spawn } = require('child_process');
const { existsSync, mkdtempSync, readFileSync } = require('fs');
const { tmpdir } = require('os');
const { dirname, join } = require('path');
const { gpuBrowser, home } = require('./gpu_browser.cjs');

const root = dirname(dirname(module.filename));
/** No entry starts with fewer seconds than this, and this many are reserved for closing browsers. */
const LEAST_SECONDS = 5;

const sleep = (seconds) =>
  new Promise((done) => {
    setTimeout(done, 1000 * seconds).unref();
  });

const tooLong = (seconds) => new Error(`It took longer than ${Math.round(seconds)} seconds.`);

/** Launches browsers with extra flags. `closeAll` closes all of them, even after a failure. */
function browsers(flags = '') {
  const launch = gpuBrowser(flags);
  const open = [];
  return {
    launch: async () => {
      const browser = await launch();
      open.push(browser);
      return browser;
    },
    closeAll: () =>
      Promise.race([
        Promise.allSettled(open.map((browser) => browser.close())),
        sleep(LEAST_SECONDS),
      ]),
  };
}

/**
 * Runs one entry. `keep` receives its rows so far. Throws if the entry does not finish within
 * `seconds` or if any of its rows failed.
 */
async function runEntry(entry, { seconds, log, keep }) {
  if (entry.kind === 'pytorch') {
    await runPytorch(entry, seconds, keep);
    return;
  }
  const folder = join(root, entry.dist);
  if (!existsSync(folder))
    throw new Error(`${entry.dist} is missing: build it and copy it to this machine.`);
  const { launch, closeAll } = browsers(entry.flags);
  const late = sleep(seconds).then(() => {
    throw tooLong(seconds);
  });
  late.catch(() => undefined);
  const options = { ...entry, launch, folder, log };
  try {
    // Pages have time limits of their own; `late` is for a browser that does not start.
    const rows = await Promise.race([late, RUNNERS[entry.kind](options, seconds, keep)]);
    keep(rows);
    throwIfFailed(rows);
  } finally {
    await closeAll();
  }
}

/** How each kind of entry gets its rows. */
const RUNNERS = {
  start: async (options, seconds, keep) => {
    const { startTimes } = await import('./start.mjs');
    return startTimes({ ...options, seconds, keep });
  },
  validation: async (options, _seconds, keep) => {
    const { validationLosses } = await import('./validation.mjs');
    return validationLosses({ ...options, seconds: options.each, keep });
  },
  page: async (options, seconds, keep) => {
    const { drive } = await import('./drive.mjs');
    const deadline = Date.now() + 1000 * (seconds - LEAST_SECONDS);
    return drive({ ...options, seconds: options.each, deadline, partial: keep });
  },
};

function throwIfFailed(rows) {
  const failed = rows.filter((row) => row.error !== undefined);
  if (failed.length === 0) return;
  const example = `for example: ${failed[0].error}`;
  throw new Error(`${failed.length} of ${rows.length} rows failed, ${example}`);
}

/** Runs pytorch_ladder.py, which writes its rows to a file as it goes. */
function runPytorch(entry, seconds, keep) {
  const file = join(mkdtempSync(join(tmpdir(), 'torch-')), 'torch.json');
  const script = join(root, 'bench/peers/pytorch_ladder.py');
  // Python must not load the browser's libraries.
  const LD_LIBRARY_PATH = (process.env.LD_LIBRARY_PATH ?? '')
    .split(':')
    .filter((path) => path && !path.startsWith(home))
    .join(':');
  return new Promise((done, fail) => {
    const child = spawn('python3', [script, file, ...entry.arguments], {
      env: { ...process.env, LD_LIBRARY_PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    let late = false;
    child.stderr.on('data', (data) => {
      output = (output + String(data)).slice(-2000);
    });
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, 1000 * seconds);
    child.on('error', fail);
    child.on('close', (status) => {
      clearTimeout(timer);
      keep(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
      const lastLine = output.trim().split('\n').at(-1);
      if (late) fail(tooLong(seconds));
      else if (status !== 0) fail(new Error(lastLine || `python3 exited with ${status}.`));
      else done();
    });
  });
}

module.exports = { browsers, LEAST_SECONDS, root, runEntry, sleep };
