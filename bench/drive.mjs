/**
 * Serves the built bench and runs queries in a browser, one page per query. It needs nothing but
 * node, so that it runs on a bare GPU machine.
 */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/**
 * Serves a folder on a free local port: `{ url, close }`. `isolated`: with the headers for cross-origin
 * isolation, which gives precise clocks and threads.
 */
export function serveFolder(folder, isolated = true) {
  const root = resolve(folder);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://local');
    const path = resolve(join(root, decodeURIComponent(pathname)));
    if (!path.startsWith(root + sep) || !statSync(path, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream');
    response.setHeader('Cache-Control', 'no-store');
    if (isolated) response.setHeaders(new Map(Object.entries(ISOLATION)));
    createReadStream(path).pipe(response);
  });
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () =>
      done({ url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }),
    );
  });
}

/**
 * Opens bench.html with each query in turn and returns all rows.
 *
 * @param launch starts a browser: one per query, so that its cache of pipelines is cold
 * @param folder the built page
 * @param seconds time limit of one page; a page that exceeds it, or crashes, gives the rows that it
 *   had so far and one with `error`
 * @param deadline time (of Date.now()) after which no page runs; queries that are left give a row
 *   with `error` each
 * @param log receives lines
 * @param partial receives all rows so far
 */
export async function drive(options) {
  const { launch, folder, queries, seconds, log } = options;
  const { deadline = Infinity, partial = () => undefined } = options;
  const server = await serveFolder(folder);
  const rows = [];
  try {
    for (const query of queries) {
      const limit = Math.min(seconds, (deadline - Date.now()) / 1000);
      if (limit > 1) {
        const url = `${server.url}bench.html?${query}`;
        const keep = (kept) => partial([...rows, ...kept]);
        rows.push(...(await runPage({ launch, url, query, seconds: limit, log, keep })));
      } else {
        rows.push(failedRow(query, 'Skipped: out of time.'));
      }
      partial(rows);
    }
    return rows;
  } finally {
    server.close();
  }
}

const KINDS = ['ops', 'search', 'generate', 'grpo', 'encode', 'matmuls', 'attention', 'reference'];

function failedRow(query, error) {
  const asked = new URLSearchParams(query);
  const kind = KINDS.find((name) => asked.get(name) === '1');
  const peer = asked.get('peer') ?? undefined;
  return {
    peer,
    config: asked.get('config') ?? '',
    backend: asked.get('backend') ?? (peer ? 'webgpu' : ''),
    mode: kind === 'reference' ? 'losses' : (kind ?? asked.get('mode') ?? ''),
    error,
  };
}

/** Rows of one page. `keep` receives its rows so far. */
async function runPage({ launch, url, query, seconds, log, keep }) {
  const timer = new PageTimer(seconds);
  let browser;
  let version = '';
  let kept = [];
  try {
    browser = await launch();
    version = browser.version();
    const page = await browser.newPage();
    await page.exposeFunction('keepRows', (rows) => {
      kept = withBrowser(rows, version);
      keep(kept);
    });
    page.on('console', (message) => {
      const text = message.text();
      if (!text.startsWith('[{')) log(text.slice(0, 500));
    });
    const failure = timer.failureOf(page);
    await Promise.race([page.goto(url), failure]);
    const rows = await Promise.race([page.evaluate(() => window.result), failure]);
    return withBrowser(rows, version);
  } catch (error) {
    const message = error.message.split('\n')[0].replace(/^page\.\w+: (Error: )?/u, '');
    log(`${query}: ${message}`);
    return [...kept, { ...failedRow(query, message), browser: version }];
  } finally {
    timer.stop();
    if (browser) await closeBrowser(browser);
  }
}

/** The time limit of a page, which includes the launch of its browser. */
class PageTimer {
  #begin = Date.now();
  #seconds;
  #timer;

  constructor(seconds) {
    this.#seconds = seconds;
  }

  /** A promise that rejects if the page crashes, throws an error or exceeds the limit. */
  failureOf(page) {
    const failure = new Promise((_done, fail) => {
      page.on('crash', () => fail(new Error('The page crashed, probably for lack of memory.')));
      page.on('pageerror', (error) => fail(error));
      const late = new Error(`It took longer than ${Math.round(this.#seconds)} seconds.`);
      const left = 1000 * this.#seconds - (Date.now() - this.#begin);
      this.#timer = setTimeout(() => fail(late), Math.max(1, left));
    });
    // Prevents an unhandled rejection if the page fails after its result.
    failure.catch(() => undefined);
    return failure;
  }

  stop() {
    clearTimeout(this.#timer);
  }
}

/** A browser whose page hangs in a kernel may not close; it is then left running. */
async function closeBrowser(browser) {
  await Promise.race([browser.close(), new Promise((done) => setTimeout(done, 10_000))]);
}

const withBrowser = (rows, browser) => rows.map((row) => ({ ...row, browser }));
