/**
 * Carries out a recipe on meshes of ranks on a GPU machine without network and node_modules (see
 * ../gpu_run.cjs), in the built page of DIST, and compares each stage with that on the first mesh. One
 * line of JSON a mesh goes to OUT.
 *
 *     DIST=/tmp/dist bash /tmp/gpu/remote.sh node bench/parallel/gpu_rank_recipes.cjs OUT.jsonl SECONDS RECIPE MESH...
 *
 * A RECIPE is as in ../alignment/gpu_recipes.cjs, a MESH as in `npm run headless -- --mesh`; `dp=1` is one
 * rank. After SECONDS no further mesh begins, and the one in progress is given up. With BROWSER_PATH, the
 * browser of tests (scripts/flags.mjs) runs it: WebGPU in software.
 */
const { appendFileSync, readFileSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { gpuBrowser, probeOnce, runMain } = require('../gpu_browser.cjs');

const [out, seconds, argument, ...meshes] = process.argv.slice(2);
if (!out || !(Number(seconds) > 0) || !argument || meshes.length === 0) {
  console.error('Usage: gpu_rank_recipes.cjs OUT.jsonl SECONDS RECIPE MESH...');
  process.exit(2);
}
const root = dirname(dirname(dirname(module.filename)));
const folder = process.env.DIST ?? join(root, 'dist');

/** Metrics that depend on the machine or on the mesh, and not on what is learned. */
const MEASURED = ['ms', 'seconds', 'bubble', 'train/tok_per_sec', 'gpu_bytes', 'heap_bytes'];

runMain(async () => {
  const { serveFolder } = await import('../drive.mjs');
  const { changedRecipe } = await import('../alignment/changed_recipe.mjs');
  const [file, ...changes] = argument.split('@');
  const recipe = changedRecipe(JSON.parse(readFileSync(file, 'utf8')), changes);
  writeFileSync(out, '');
  const server = await serveFolder(folder);
  const browser = await openBrowser();
  const ends = Date.now() + Number(seconds) * 1000;
  let reference = null;
  try {
    for (const mesh of meshes) {
      if (Date.now() >= ends) {
        console.log(`${mesh}: no time is left`);
        continue;
      }
      const done = await trainOn(browser, { url: server.url, recipe, mesh, ends });
      reference ??= done;
      const stages = done.stages.map((stage) => {
        return { ...stage, ...compare(reference, done, stage) };
      });
      appendFileSync(out, `${JSON.stringify({ argument, ...done, stages })}\n`);
      for (const stage of stages) console.log(mesh, brief(stage));
    }
  } finally {
    await browser.close();
    await server.close();
  }
  return 0;
});

async function openBrowser() {
  if (!process.env.BROWSER_PATH) {
    probeOnce();
    return gpuBrowser()();
  }
  const { chromium } = require('playwright');
  const { launchOptions } = await import('../../scripts/flags.mjs');
  return chromium.launch(launchOptions(process.env.BROWSER_PATH));
}

/** Runs the recipe on one mesh in a page of its own. */
async function trainOn(browser, { url, recipe, mesh, ends }) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on('pageerror', (error) => console.error(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(message.text());
  });
  const records = [];
  await page.exposeFunction('printRecord', (record) => records.push(record));
  await page.goto(`${url}index.html?v=1&headless=1`);
  await page.waitForFunction(() => window.terrarium !== undefined);
  await page.evaluate(
    async ([value, ranks]) => {
      window.terrarium.onRecord((record) => window.printRecord(record));
      await window.terrarium.runRecipe(value, ranks);
    },
    [recipe, meshOf(mesh)],
  );
  let stages = [];
  let running = true;
  while (running && Date.now() < ends) {
    const { recipe: progress } = await page.evaluate(() => window.terrarium.status());
    stages = progress?.stages ?? [];
    running = progress?.running ?? true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await context.close();
  return { mesh, finished: !running, stages: withRecords(stages, records) };
}

/** Gives each stage its records: a step that is smaller than the one before begins a stage. */
function withRecords(stages, records) {
  const parts = [];
  let last = Infinity;
  for (const record of records) {
    if (record.step < last) parts.push([]);
    parts.at(-1).push(record);
    last = record.step;
  }
  return stages.map(({ id, status, problem, seconds: took }, i) => {
    return { id, status, problem, seconds: took, records: parts[i] ?? [] };
  });
}

/**
 * Of each metric, the largest difference over the records of a stage, relative to the largest value
 * that it takes in them on the first mesh; and how many of its values have the same bits.
 */
function compare(reference, { mesh }, { id, records }) {
  const expected = reference.stages.find((stage) => stage.id === id)?.records ?? [];
  if (reference.mesh === mesh) return { differences: {} };
  const names = new Set(expected.flatMap((record) => Object.keys(record)));
  const differences = {};
  for (const name of names) {
    if (MEASURED.includes(name) || name.startsWith('bytes')) continue;
    const pairs = expected
      .map((record, i) => [record[name], records[i]?.[name]])
      .filter(([value]) => value !== undefined);
    const scale = Math.max(...pairs.map(([value]) => Math.abs(value)), 1e-12);
    const gaps = pairs.map(([value, other]) => Math.abs(value - (other ?? NaN)) / scale);
    const equal = pairs.filter(([value, other]) => value === other).length;
    differences[name] = { largest: Math.max(...gaps), equal, of: pairs.length };
  }
  return { differences };
}

function brief({ id, status, problem, seconds: took, records, differences }) {
  const [worst] = Object.entries(differences).sort(([, a], [, b]) => b.largest - a.largest);
  const loss = differences['train/loss'];
  const compared =
    worst && loss
      ? `loss within ${loss.largest.toExponential(1)}, ${worst[0]} within ${worst[1].largest.toExponential(1)}`
      : `${records.length} records`;
  return `${id}: ${status} ${problem} ${took?.toFixed(1) ?? '-'} s, ${compared}`;
}

function meshOf(text) {
  const fields = text.split(',').map((part) => part.split('='));
  return Object.fromEntries(
    fields.map(([name, value]) => [name, name === 'schedule' ? value : Number(value)]),
  );
}
