/**
 * Trains one configuration on meshes of ranks on a GPU machine without network and node_modules (see
 * ../gpu_run.cjs), in the built page of DIST, and compares each with one rank. One line of JSON a mesh
 * goes to OUT.
 *
 *     DIST=/tmp/dist bash /tmp/gpu/remote.sh node bench/parallel/gpu_ranks.cjs OUT.jsonl QUERY MESH...
 *
 * QUERY is that of the page's address (`preset=names&runtime.backend=webgpu&training.max_iters=50`), a
 * MESH is as in `npm run headless -- --mesh` (`dp=2,zero_stage=3`); `dp=1` is one rank.
 */
const { appendFileSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { gpuBrowser, probeOnce, runMain } = require('../gpu_browser.cjs');

const [out, query, ...meshes] = process.argv.slice(2);
if (!out || !query || meshes.length === 0) {
  console.error('Usage: gpu_ranks.cjs OUT.jsonl QUERY MESH...');
  process.exit(2);
}
const folder = process.env.DIST ?? join(dirname(dirname(dirname(module.filename))), 'dist');

runMain(async () => {
  const { serveFolder } = await import('../drive.mjs');
  probeOnce();
  writeFileSync(out, '');
  const server = await serveFolder(folder);
  const browser = await gpuBrowser()();
  let reference = null;
  try {
    for (const mesh of meshes) {
      const trained = await trainOn(browser, { url: server.url, mesh });
      reference ??= trained;
      const compared = compare(reference.records, trained.records);
      const line = { mesh, query, ...compared, ...trained };
      appendFileSync(out, `${JSON.stringify(line)}\n`);
      const { largest, equal } = compared;
      console.log(
        `${mesh}: ${trained.failure || `largest relative difference ${largest}, ${equal} losses equal`}`,
      );
    }
  } finally {
    await browser.close();
    await server.close();
  }
  return 0;
});

async function trainOn(browser, { url, mesh }) {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error.message));
  const records = [];
  await page.exposeFunction('printRecord', (record) => records.push(record));
  await page.goto(`${url}index.html?v=1&headless=1&${query}`);
  await page.waitForFunction(() => window.terrarium !== undefined);
  const done = await page.evaluate((value) => {
    window.terrarium.onRecord((record) => window.printRecord(record));
    return window.terrarium.runLab(value).then(
      (result) => ({ result, failure: '' }),
      (error) => ({ result: null, failure: error.message }),
    );
  }, meshOf(mesh));
  await page.close();
  return { ...done, records };
}

function meshOf(text) {
  const fields = text.split(',').map((part) => part.split('='));
  return Object.fromEntries(
    fields.map(([name, value]) => [name, name === 'schedule' ? value : Number(value)]),
  );
}

/** The largest relative difference of the losses, and how many of them have the same bits. */
function compare(reference, records) {
  const losses = (rows) =>
    rows.map((row) => row['train/loss'] ?? row.loss).filter((loss) => loss > 0);
  const expected = losses(reference);
  const got = losses(records);
  const differences = expected.map((loss, i) => Math.abs(loss - (got[i] ?? NaN)) / loss);
  const equal = expected.filter((loss, i) => loss === got[i]).length;
  return { largest: Math.max(...differences), equal, steps: expected.length };
}
