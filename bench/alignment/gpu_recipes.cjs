/**
 * Carries out recipes on a GPU machine without network and node_modules (see ../gpu_run.cjs), in the
 * built page of DIST. All results are lines of one file, with a summary of each stage printed.
 *
 *     DIST=/tmp/dist bash /tmp/gpu/remote.sh node bench/alignment/gpu_recipes.cjs OUT.jsonl SECONDS RECIPE...
 *
 * A RECIPE is a JSON file, perhaps followed by changes: `tales.json@seed=2@sft.training.max_iters=9`.
 */
const { readFileSync, appendFileSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { gpuBrowser, probeOnce, runMain } = require('../gpu_browser.cjs');

const [out, seconds, ...recipes] = process.argv.slice(2);
if (!out || !(Number(seconds) > 0) || recipes.length === 0) {
  console.error('Usage: gpu_recipes.cjs OUT.jsonl SECONDS RECIPE...');
  process.exit(2);
}

/** Metrics that only an evaluation has. */
const EVALUATED = ['val/loss', 'val/exact_match', 'val/reward', 'val/true_reward'];

const folder = process.env.DIST ?? join(dirname(dirname(dirname(module.filename))), 'dist');

runMain(async () => {
  const { serveFolder } = await import('../drive.mjs');
  const { changedRecipe } = await import('./changed_recipe.mjs');
  probeOnce();
  writeFileSync(out, '');
  const server = await serveFolder(folder);
  const browser = await gpuBrowser()();
  const ends = Date.now() + Number(seconds) * 1000;
  try {
    for (const argument of recipes) {
      const [file, ...changes] = argument.split('@');
      const recipe = changedRecipe(JSON.parse(readFileSync(file, 'utf8')), changes);
      const page = await browser.newPage();
      page.on('pageerror', (error) => console.error(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') console.error(message.text());
      });
      await carryOut(page, { url: server.url, recipe, argument, ends });
      await page.close();
    }
  } finally {
    await browser.close();
    await server.close();
  }
  return 0;
});

/** Runs one recipe; records of evaluations and the ends of stages go to the file. */
async function carryOut(page, { url, recipe, argument, ends }) {
  const print = (record) => appendFileSync(out, `${JSON.stringify({ argument, ...record })}\n`);
  let current = '';
  let last = {};
  await page.exposeFunction('printRecord', (record) => {
    // Policies log val/ratio at every step, TRL's name; the others come from evaluations.
    if (!EVALUATED.some((name) => name in record)) return;
    last = record;
    print({ stage: current, ...record });
  });
  await page.goto(`${url}index.html?v=1&headless=1`);
  await page.waitForFunction(() => window.terrarium !== undefined);
  await page.evaluate(async (value) => {
    window.terrarium.onRecord((record) => window.printRecord(record));
    await window.terrarium.runRecipe(value);
  }, recipe);
  const told = new Set();
  while (Date.now() < ends) {
    const { recipe: progress, device } = await page.evaluate(() => window.terrarium.status());
    const stages = progress?.stages ?? [];
    current = stages.find(({ status }) => status === 'training')?.id ?? current;
    for (const stage of stages) {
      if (stage.status === 'waiting' || stage.status === 'training' || told.has(stage.id)) continue;
      told.add(stage.id);
      print({ done: stage, device: device?.adapter });
      console.log(argument, stage.id, stage.status, stage.problem, stage.seconds, brief(last));
    }
    if (progress && !progress.running) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  console.log(argument, 'ran out of time in', current);
}

const brief = (record) =>
  Object.entries(record)
    .filter(([name]) => name.startsWith('val/'))
    .map(([name, value]) => `${name.slice(4)}=${Number(value).toPrecision(4)}`)
    .join(' ');
