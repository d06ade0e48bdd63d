/**
 * `npm test`: lint, style, types, unit tests, the build, browser tests, journeys, Firefox and input latency.
 * A failure does not stop the other suites. The last line is `N passed, N failed, N skipped` over all
 * of them. Lint, style, types, the build and the search for a browser count as one check each.
 *
 * Two suites run at a time, because software WebGPU compiles and runs kernels mostly on one thread.
 * Only the latency is measured on an otherwise idle machine.
 *
 * `npm test -- unit journeys` runs only these suites.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findBrowser } from './browser.mjs';

const MINUTE = 60_000;
const vitest = (project) => [
  'vitest',
  'run',
  '--project',
  project,
  '--reporter=default',
  '--reporter=./scripts/vitest_reporter.mjs',
];

/** `counts`: the suite's reporter counts its tests; otherwise its exit code is one check. */
const SUITES = [
  {
    name: 'lint',
    commands: [['eslint', '.']],
    minutes: 5,
  },
  // Not a part of `lint`, so that both lanes end at about the same time.
  {
    name: 'style',
    commands: [
      ['prettier', '--check', '.'],
      ['depcruise', 'src', '--config', '.dependency-cruiser.mjs'],
      ['node', 'scripts/style.mjs'],
    ],
    minutes: 5,
  },
  { name: 'types', commands: [['tsc', '--noEmit']], minutes: 5 },
  { name: 'unit', commands: [vitest('node')], counts: true, minutes: 8 },
  {
    name: 'build',
    commands: [
      ['vite', 'build'],
      ['vite', 'build', '--config', 'bench/vite.config.ts'],
    ],
    minutes: 5,
  },
  { name: 'browser', commands: [vitest('browser')], counts: true, browser: true, minutes: 25 },
  {
    name: 'journeys',
    commands: [['playwright', 'test', '--project=wide']],
    counts: true,
    browser: true,
    minutes: 20,
  },
  // Without Firefox its tests count as skipped.
  { name: 'firefox', commands: [vitest('firefox')], counts: true, minutes: 6 },
  {
    name: 'latency',
    commands: [['playwright', 'test', '--project=latency']],
    counts: true,
    browser: true,
    minutes: 5,
  },
];

/**
 * Two suites run at a time: whenever one ends, the first that remains begins. After the build, which
 * most of them need, the longest come first, so that both lanes end at about the same time. A list
 * of suites waits for the list before it.
 */
const ORDER = [
  ['build', 'types', 'journeys', 'browser', 'unit', 'lint', 'style', 'firefox'],
  ['latency'],
];
/** The suites that need the built page. */
const NEED_BUILD = ['journeys', 'firefox', 'latency'];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !SUITES.some((s) => s.name === name));
if (unknown.length > 0) {
  const names = SUITES.map((suite) => suite.name).join(', ');
  console.error(`There is no suite ${unknown.join(', ')}: the suites are ${names}.`);
  process.exit(2);
}
const suites = SUITES.filter((s) => asked.length === 0 || asked.includes(s.name));
const times = [];
const folder = mkdtempSync(join(tmpdir(), 'terrarium-test-'));
const total = { passed: 0, failed: 0, skipped: [] };

console.log(
  `Suites: ${suites.map((s) => s.name).join(', ')}. Node ${process.versions.node} on ${process.platform}.`,
);
if (suites.some((s) => s.browser)) lookForBrowser();
const started = Date.now();
for (const names of ORDER) await runInTwoLanes(names);
rmSync(folder, { recursive: true, force: true });
times.push(`altogether ${secondsSince(started)} s`);
console.log(`\nTime: ${times.join(', ')}.`);
for (const { title, reason } of total.skipped) console.log(`skipped: ${title} (${reason})`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped.length} skipped`);
process.exit(total.failed > 0 ? 1 : 0);

/** The suites find the browser through BROWSER_PATH. */
function lookForBrowser() {
  try {
    const browser = findBrowser(console.log);
    process.env.BROWSER_PATH = browser.path;
    console.log(`Browser: ${browser.version}, ${browser.path}, ${browser.how}.`);
    total.passed++;
  } catch (error) {
    console.log(error.message);
    total.failed++;
  }
}

function secondsSince(time) {
  return Math.round((Date.now() - time) / 1000);
}

async function runInTwoLanes(names) {
  const waiting = names.flatMap((name) => suites.filter((suite) => suite.name === name));
  let building = null;
  const lane = async () => {
    for (let suite = waiting.shift(); suite; suite = waiting.shift()) {
      if (NEED_BUILD.includes(suite.name)) await building;
      const running = runSuite(suite);
      if (suite.name === 'build') building = running;
      await running;
    }
  };
  await Promise.all([lane(), lane()]);
}

async function runSuite(suite) {
  const started = Date.now();
  const summaryFile = join(folder, `${suite.name}.json`);
  console.log(`\n=== ${suite.name}`);
  const code = await runCommands(suite, summaryFile);
  const summary = suite.counts ? readSummary(summaryFile, code) : oneCheck(code);
  total.passed += summary.passed;
  total.failed += summary.failed;
  total.skipped.push(...summary.skipped);
  const seconds = secondsSince(started);
  times.push(`${suite.name} ${seconds} s`);
  const { passed, failed, skipped } = summary;
  const counts = `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
  console.log(`=== ${suite.name}: ${counts} in ${seconds} s`);
}

/** The exit code of the last command that failed, or 0. */
async function runCommands(suite, summaryFile) {
  if (suite.browser && !process.env.BROWSER_PATH) return 1;
  let code = 0;
  for (const command of suite.commands) {
    code = (await runCommand(command, suite, summaryFile)) || code;
  }
  return code;
}

function oneCheck(code) {
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: [] };
}

/** A suite without results or tests has failed, and so has one with an exit code but no failed test. */
function readSummary(file, code) {
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: [] };
  const summary = JSON.parse(readFileSync(file, 'utf8'));
  const ran = summary.passed + summary.failed + summary.skipped.length;
  return {
    ...summary,
    failed: summary.failed === 0 && (code !== 0 || ran === 0) ? 1 : summary.failed,
  };
}

/** Prints lines of several suites at a time, each after the name of its suite. */
function printLines(stream, { name }) {
  createInterface({ input: stream }).on('line', (line) => {
    console.log(line === '' ? '' : `${name.padEnd(8)} | ${line}`);
  });
}

/** The exit code of a command of node_modules. It is killed with its children at the time limit. */
function runCommand([command, ...args], suite, summaryFile) {
  const limit = suite.minutes * MINUTE;
  const [program, parameters] =
    command === 'node' ? ['node', args] : ['npx', ['--no-install', command, ...args]];
  return new Promise((resolve) => {
    const group = process.platform !== 'win32';
    const child = spawn(program, parameters, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: group,
      shell: !group,
      env: { ...process.env, TEST_SUMMARY: summaryFile, FORCE_COLOR: '0', NO_COLOR: '1' },
    });
    printLines(child.stdout, suite);
    printLines(child.stderr, suite);
    const timer = setTimeout(() => {
      console.log(`${command} took more than ${limit / MINUTE} minutes and was killed.`);
      if (group) process.kill(-child.pid, 'SIGKILL');
      else child.kill('SIGKILL');
    }, limit);
    child.on('error', () => {
      clearTimeout(timer);
      resolve(1);
    });
    // Not `exit`: the last lines may come after it.
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
}
