/**
 * Two browsers, each bound to a card of one machine, train one model with DP 2 over the pool's
 * transport (WebRTC, joined by codes, no server), against one card. For a machine without network and
 * node_modules (see ../gpu_run.cjs); needs dist-bench/cards:
 *
 *     npx vite build --config bench/parallel/cards.config.ts
 *     bash /tmp/gpu/remote.sh node bench/parallel/gpu_cards.cjs OUT.jsonl [QUERY]...
 *
 * A QUERY is that of the page's address (`preset=names&training.batch_size=64`); its batch is that of
 * all ranks. From the environment: CARDS_SECONDS (110), after which no run begins; RUN_SECONDS (4), how
 * long a run measures; SOFTWARE=1 takes SwiftShader. Writes a line of JSON a measurement as it goes,
 * and prints a table.
 */
const { appendFileSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { probeOnce, runMain } = require('../gpu_browser.cjs');
const { CardWatch, join2, launchOn, openPage, tryBinding } = require('./card_browsers.cjs');
const { compareLosses, summarize, tableOf } = require('./card_results.cjs');

const TEN_MILLION =
  'preset=names&model.n_layer=6&model.n_head=6&model.n_embd=384&model.block_size=256';
const DEFAULT_QUERIES = [
  'preset=names&model.n_layer=4&model.n_embd=64&model.n_head=4&training.batch_size=32',
  `${TEN_MILLION}&training.batch_size=12`,
  `${TEN_MILLION}&training.batch_size=64`,
  `${TEN_MILLION}&training.batch_size=64&training.gradient_accumulation_steps=8`,
];

const [out, ...given] = process.argv.slice(2);
if (!out) {
  console.error('Usage: gpu_cards.cjs OUT.jsonl [QUERY]...');
  process.exit(2);
}
const queries = given.length > 0 ? given : DEFAULT_QUERIES;
const folder = join(dirname(dirname(dirname(module.filename))), 'dist-bench', 'cards');
const deadline = Date.now() + 1000 * Number(process.env.CARDS_SECONDS ?? 110);
const runMs = 1000 * Number(process.env.RUN_SECONDS ?? 4);

/** Programs are built in the first of them. */
const WARM_UP = 3;
const LEAST_STEPS = 4;
const MOST_STEPS = 60;
/** A run that takes longer has hung, milliseconds. */
const LIMIT_MS = 90_000;

function write(line) {
  appendFileSync(out, `${JSON.stringify(line)}\n`);
}

runMain(async () => {
  const { serveFolder } = await import('../drive.mjs');
  probeOnce();
  writeFileSync(out, '');
  const { bound, why } = tryBinding();
  if (!bound) console.log(`The browsers are not bound to a card each, and may share one: ${why}`);
  const server = await serveFolder(folder);
  const watch = new CardWatch();
  const browsers = await Promise.all([0, 1].map((card) => launchOn(card, bound)));
  const bench = { browsers, watch, url: server.url };
  const rows = [];
  try {
    write({ browser: browsers[0].version(), bound, why, adapters: await adaptersOf(bench) });
    await measureTransport(bench);
    for (const query of queries) {
      if (Date.now() > deadline) write({ query, skipped: 'out of time' });
      else rows.push(...(await measureQuery(bench, query)));
    }
    console.log(tableOf(rows));
  } finally {
    watch.stop();
    await Promise.all(browsers.map((browser) => browser.close()));
    await server.close();
  }
  return rows.every(({ failure }) => !failure) ? 0 : 1;
});

/** The adapter that each browser's WebGPU offers. */
async function adaptersOf(bench) {
  return withPages(bench, [0, 1], (pages) =>
    Promise.all(
      pages.map((page) =>
        page.evaluate(async () => {
          const info = (await navigator.gpu?.requestAdapter())?.info;
          return info ? `${info.vendor} ${info.architecture} ${info.description}`.trim() : 'none';
        }),
      ),
    ),
  );
}

/** Opens a page in each of these browsers, and closes them at the end. */
async function withPages({ browsers, url }, cards, use) {
  const pages = await Promise.all(cards.map((card) => openPage(browsers[card], url)));
  try {
    return await within(use(pages));
  } finally {
    await Promise.all(pages.map((page) => page.context().close()));
  }
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`Nothing came of it in ${LIMIT_MS / 1000} seconds.`);
    timer = setTimeout(() => reject(error), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** From page to page and back, and in both directions at once, as collectives do. */
async function measureTransport(bench) {
  await withPages(bench, [0, 1], async (pages) => {
    await join2(pages);
    for (const megabytes of [1, 1, 4, 16]) {
      const { ms } = await pages[0].evaluate((size) => window.cards.roundTrip(size), megabytes);
      const both = await Promise.all(
        pages.map((page) => page.evaluate((size) => window.cards.roundTrip(size), megabytes)),
      );
      const both_ms = Math.max(...both.map((one) => one.ms));
      const rate = (2 * megabytes * 2 ** 20) / 1e6 / (ms / 1000);
      write({ transport: { megabytes, round_trip_ms: ms, both_ms, mb_per_second: rate } });
      console.log(`${megabytes} MiB there and back: ${ms.toFixed(0)} ms, ${rate.toFixed(0)} MB/s`);
    }
  });
}

/** One card with the whole batch; both with half of it, apart from each other; and DP 2. */
async function measureQuery(bench, query) {
  const half = halfBatch(query);
  const runs = [
    { name: 'one card', cards: [0], dp: 1, query },
    { name: 'two cards apart, half the rows each', cards: [0, 1], dp: 1, query: half },
    { name: 'DP 2', cards: [0, 1], dp: 2, query },
  ];
  const rows = [];
  for (const run of runs) {
    const row = await measureRun(bench, run).catch(({ message }) => ({
      failure: message.split('\n')[0],
    }));
    const reference = rows[0]?.losses ?? [];
    const compared = run.dp === 2 && row.losses ? compareLosses(reference, row) : null;
    const whole = { run: run.name, query: run.query, ...row, compared };
    rows.push(whole);
    write(whole);
    console.log(`${run.name}: ${row.failure ?? `${row.rows_per_second.toFixed(1)} rows/s`}`);
  }
  return rows;
}

function halfBatch(query) {
  const fields = new URLSearchParams(query);
  const batch = Number(fields.get('training.batch_size'));
  if (!(batch > 0 && batch % 2 === 0)) throw new Error('Name an even training.batch_size.');
  fields.set('training.batch_size', String(batch / 2));
  return fields.toString();
}

/** No dropout, and so many steps that no run takes them all. */
function withDefaults(query) {
  const fields = new URLSearchParams(query);
  const defaults = { v: '1', 'model.dropout': '0', 'training.max_iters': '1000' };
  for (const [field, value] of Object.entries(defaults)) {
    if (!fields.has(field)) fields.set(field, value);
  }
  return fields.toString();
}

async function measureRun(bench, { cards, dp, query }) {
  return withPages(bench, cards, async (pages) => {
    if (dp === 2) await join2(pages);
    const full = withDefaults(query);
    const facts = await Promise.all(
      pages.map((page, rank) =>
        page.evaluate((options) => window.cards.open(options), {
          ...{ query: full, dp },
          rank: dp === 1 ? 0 : rank,
        }),
      ),
    );
    const train = (steps) =>
      Promise.all(pages.map((page) => page.evaluate((count) => window.cards.train(count), steps)));
    const warm = await train(WARM_UP);
    const slowest = Math.max(...warm.map((steps) => steps.at(-1).ms));
    const count = Math.min(MOST_STEPS, Math.max(LEAST_STEPS, Math.floor(runMs / slowest)));
    const began = Date.now();
    const measured = await train(count);
    const seen = bench.watch.since(began);
    const losses = warm.map((steps, i) => [...steps, ...measured[i]].map(({ loss }) => loss));
    return { ...summarize({ facts, measured, dp }), losses, cards: seen };
  });
}
