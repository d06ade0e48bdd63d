/**
 * Two browsers, each bound to a card of one machine, train one model with DP 2 over the pool's
 * transport (WebRTC, joined by codes, no server), against one card. For a machine without network and
 * node_modules (see ../gpu_run.cjs); needs dist-bench/cards:
 *
 *     npx vite build --config bench/parallel/cards.config.ts
 *     bash /tmp/gpu/remote.sh node bench/parallel/gpu_cards.cjs OUT.jsonl [QUERY]...
 *
 * A QUERY is that of the page's address (`preset=names&training.batch_size=64`); its batch is that of
 * all ranks. From the environment: CARDS_SECONDS (100), after which no run begins; RUN_SECONDS (4), how
 * long a run measures; SOFTWARE=1 takes SwiftShader. Writes a line of JSON a measurement as it goes,
 * and prints a table.
 */
const { appendFileSync, writeFileSync } = require('fs');
const { dirname, join } = require('path');
const { probeOnce, runMain } = require('../gpu_browser.cjs');
const { CardWatch, connectPages, launchOn, openPage, tryBinding } = require('./card_browsers.cjs');
const { compareLosses, summarizeAlone, summarizeRanks, tableOf } = require('./card_results.cjs');

const TEN_MILLION =
  'preset=names&model.n_layer=6&model.n_head=6&model.n_embd=384&model.block_size=256';
const DEFAULT_QUERIES = [
  'preset=names&model.n_layer=4&model.n_embd=64&model.n_head=4&training.batch_size=32',
  `${TEN_MILLION}&training.batch_size=64&training.gradient_accumulation_steps=8`,
  `${TEN_MILLION}&training.batch_size=64`,
  `${TEN_MILLION}&training.batch_size=12`,
];

const [out, ...given] = process.argv.slice(2);
if (!out) {
  console.error('Usage: gpu_cards.cjs OUT.jsonl [QUERY]...');
  process.exit(2);
}
const queries = given.length > 0 ? given : DEFAULT_QUERIES;
const folder = join(dirname(dirname(dirname(module.filename))), 'dist-bench', 'cards');
const deadline = Date.now() + 1000 * Number(process.env.CARDS_SECONDS ?? 100);
const runMs = 1000 * Number(process.env.RUN_SECONDS ?? 4);

/** Steps that are not measured: programs are built in the first of them. */
const WARM_UP = 3;
/** Measured steps of a run, whatever time they take. */
const LEAST_STEPS = 4;
const MOST_STEPS = 60;
/** MiB of the messages that show the transport. */
const SIZES = [0.001, 1, 4, 16];
/** Data channels between the pages; the pool has one. */
const CHANNELS = [1, 4];
/** Several channels are measured further if they carry this many times as much as one. */
const WORTHWHILE = 1.25;
/** A run that takes longer has hung, milliseconds. */
const LIMIT_MS = 90_000;

function write(line) {
  appendFileSync(out, `${JSON.stringify(line)}\n`);
}

runMain(async () => {
  const { serveFolder } = await import('../drive.mjs');
  probeOnce();
  writeFileSync(out, '');
  const server = await serveFolder(folder);
  const watch = new CardWatch();
  const bench = { browsers: [], watch, url: server.url, channels: [] };
  try {
    await launchBoth(bench);
    const rates = [];
    for (const count of CHANNELS) rates.push(await measureTransport(bench, count));
    // Where several channels bring nothing, DP 2 is measured with one alone.
    bench.channels = CHANNELS.filter((_, i) => i === 0 || rates[i] > WORTHWHILE * rates[0]);
    const rows = [];
    for (const query of queries) rows.push(...(await measureQuery(bench, query)));
    console.log(tableOf(rows));
    return rows.every(({ failure }) => !failure) ? 0 : 1;
  } finally {
    watch.stop();
    await closeBoth(bench);
    await server.close();
  }
});

/** Two browsers, each bound to a card; if that cannot be, two that may share one. */
async function launchBoth(bench) {
  const { bound, why } = tryBinding();
  const adapters = await launchWith(bench, bound, why);
  if (!bound || process.env.SOFTWARE || adapters.every((name) => /nvidia/iu.test(name))) return;
  await closeBoth(bench);
  await launchWith(bench, false, 'Bound to a card, the browser has no WebGPU on it');
}

/** Launches both browsers and returns their adapters; `why` says what prevents binding. */
async function launchWith(bench, bound, why) {
  bench.browsers = await Promise.all([0, 1].map((card) => launchOn(card, bound)));
  const adapters = await adaptersOf(bench);
  write({ browser: bench.browsers[0].version(), bound, why, adapters });
  console.log(`Bound to a card each: ${bound} ${why}. WebGPU: ${adapters.join(' and ')}`);
  return adapters;
}

/** A browser whose page hangs in a kernel may not close; it is then left running. */
const closeBoth = ({ browsers }) =>
  Promise.race([
    Promise.all(browsers.map((browser) => browser.close())),
    new Promise((done) => setTimeout(done, 10_000)),
  ]);

/** The adapter that each browser's WebGPU offers. */
async function adaptersOf(bench) {
  return withPages(bench, [0, 1], (pages) =>
    Promise.all(
      pages.map((page) =>
        page.evaluate(async () => {
          const info = (await window.navigator.gpu?.requestAdapter())?.info;
          return info ? `${info.vendor} ${info.architecture} ${info.description}`.trim() : 'none';
        }),
      ),
    ),
  );
}

/** Opens a page in the browser of each of these cards, and closes the pages at the end. */
async function withPages({ browsers, url }, cards, use) {
  const pages = await Promise.all(cards.map((card) => openPage(browsers[card], url)));
  try {
    return await within(use(pages));
  } finally {
    await Promise.all(pages.map((page) => page.context().close()));
  }
}

/** Rejects if the promise has not settled after LIMIT_MS. */
async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`The browsers have not answered for ${LIMIT_MS / 1000} seconds.`);
    timer = setTimeout(() => reject(error), LIMIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Times messages from page to page and back, and in both directions at once, as collectives send them.
 * Returns the MB/s of the largest message.
 */
async function measureTransport(bench, channels) {
  return withPages(bench, [0, 1], async (pages) => {
    await connectPages(pages, channels);
    await Promise.all(pages.map((page) => page.evaluate(() => window.cards.echo())));
    const roundTrip = async (page, megabytes) =>
      (await page.evaluate((size) => window.cards.roundTrip(size), megabytes)).ms;
    let rate = 0;
    for (const megabytes of SIZES) {
      await roundTrip(pages[0], megabytes);
      const ms = await roundTrip(pages[0], megabytes);
      const both = await Promise.all(pages.map((page) => roundTrip(page, megabytes)));
      rate = (2 * megabytes * 2 ** 20) / 1e6 / (ms / 1000);
      const transport = { channels, megabytes, round_trip_ms: ms, both_ms: Math.max(...both) };
      write({ transport: { ...transport, mb_per_second: rate } });
      console.log(
        `${channels} channels, ${megabytes} MiB there and back: ${ms.toFixed(1)} ms, ` +
          `${rate.toFixed(1)} MB/s, both at once ${transport.both_ms.toFixed(1)} ms`,
      );
    }
    return rate;
  });
}

/** One card with the whole batch; both with half of it, apart from each other; and DP 2. */
async function measureQuery(bench, query) {
  const half = halfBatch(query);
  const runs = [
    { name: 'one card', query, measure: () => measureAlone(bench, [0], query) },
    { name: 'two apart, half each', query: half, measure: () => measureAlone(bench, [0, 1], half) },
    ...bench.channels.map((channels) => ({
      name: channels === 1 ? 'DP 2' : `DP 2, ${channels} channels`,
      query,
      measure: () => measureRanks(bench, query, channels),
    })),
  ];
  const rows = [];
  for (const { name, measure, query: trained } of runs) {
    if (Date.now() > deadline) {
      write({ run: name, query: trained, skipped: 'out of time' });
      continue;
    }
    const row = await measure().catch(({ message }) => ({ failure: message.split('\n')[0] }));
    const compared = row.dp === 2 ? compareLosses(rows[0]?.losses ?? [], row) : null;
    const whole = { run: name, query: trained, ...row, compared };
    rows.push(whole);
    write(whole);
    console.log(`${name}: ${row.failure ?? `${row.rows_per_second.toFixed(1)} rows/s`}`);
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

/**
 * No dropout, nothing but steps, and so many of them that no run takes all; a learning rate at which
 * roundings stay roundings (README.md).
 */
function withDefaults(query) {
  const fields = new URLSearchParams(query);
  const defaults = {
    v: '1',
    'model.dropout': '0',
    'training.max_iters': '100000',
    'training.learning_rate': '0.001',
    'training.eval_interval': '100000',
    'training.eval_iters': '1',
    'sampling.sample_interval': '0',
    'runtime.backend': 'webgpu',
    'runtime.autosave_interval': '0',
  };
  for (const [field, value] of Object.entries(defaults)) {
    if (!fields.has(field)) fields.set(field, value);
  }
  return fields.toString();
}

/** Each of these cards trains a run of its own, without ranks. */
function measureAlone(bench, cards, query) {
  return withPages(bench, cards, async (pages) => {
    const options = {
      query: withDefaults(query),
      limits: { warm_up: WARM_UP, least_steps: LEAST_STEPS, milliseconds: runMs },
    };
    const began = Date.now();
    const runs = await Promise.all(
      pages.map((page) =>
        page.evaluate(({ query, limits }) => window.cards.trainAlone(query, limits), options),
      ),
    );
    return { ...summarizeAlone(runs), cards: bench.watch.since(began) };
  });
}

function measureRanks(bench, query, channels) {
  return withPages(bench, [0, 1], async (pages) => {
    await connectPages(pages, channels);
    const open = (page, rank) =>
      page.evaluate((options) => window.cards.open(options), { query: withDefaults(query), rank });
    const facts = await Promise.all(pages.map(open));
    const train = (steps) =>
      Promise.all(pages.map((page) => page.evaluate((count) => window.cards.train(count), steps)));
    const warm = await train(WARM_UP);
    const slowest = Math.max(...warm.map((steps) => steps.at(-1).ms));
    const count = Math.min(MOST_STEPS, Math.max(LEAST_STEPS, Math.floor(runMs / slowest)));
    const began = Date.now();
    const measured = await train(count);
    const seen = bench.watch.since(began);
    const losses = warm.map((steps, i) => [...steps, ...measured[i]].map(({ loss }) => loss));
    return { ...summarizeRanks(facts[0], measured), losses, cards: seen };
  });
}
