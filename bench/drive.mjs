/**
 * Serves the built bench and runs jobs in a browser, one page each. Needs nothing but node, so that
 * it runs on a bare GPU machine.
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

/**
 * A folder on a free port of this machine, with the headers that give exact clocks: `{ url, close
 * }`.
 */
export function serveFolder(folder) {
  const root = resolve(folder);
  const server = createServer((request, response) => {
    const path = resolve(
      join(root, decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname)),
    );
    if (!path.startsWith(root + sep) || !statSync(path, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Cache-Control': 'no-store',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
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
 * Opens bench.html with each query in turn and gives all rows. A page that takes longer than
 * `seconds`, or that crashes, gives the rows that it had by then and one with `error`. `launch`
 * starts a browser: one a query, so that each starts with a cold cache of pipelines. After
 * `deadline` (of Date.now()) nothing runs on: queries whose turn does not come give a row with
 * `error` each.
 */
export async function drive({
  launch,
  folder,
  queries,
  seconds,
  deadline = Infinity,
  log,
  partial = () => undefined,
}) {
  const server = await serveFolder(folder);
  const rows = [];
  try {
    for (const query of queries) {
      const limit = Math.min(seconds, (deadline - Date.now()) / 1000);
      if (limit > 1)
        rows.push(
          ...(await one(launch, `${server.url}bench.html?${query}`, query, limit, log, (kept) =>
            partial([...rows, ...kept]),
          )),
        );
      else rows.push(failed(query, 'Its turn did not come in the time given.'));
      partial(rows);
    }
    return rows;
  } finally {
    server.close();
  }
}

const KINDS = ['ops', 'search', 'generate', 'encode', 'reference'];
function failed(query, error) {
  const asked = new URLSearchParams(query);
  const kind = KINDS.find((name) => asked.get(name) === '1');
  const peer = asked.get('peer');
  return {
    ...(peer ? { peer } : {}),
    config: asked.get('config') ?? '',
    backend: asked.get('backend') ?? (peer ? 'webgpu' : ''),
    mode: kind === 'reference' ? 'losses' : (kind ?? asked.get('mode') ?? ''),
    error,
  };
}

async function one(launch, url, query, seconds, log, partial) {
  const begin = Date.now();
  let timer;
  let browser;
  let version = '';
  let kept = [];
  try {
    browser = await launch();
    version = browser.version();
    const page = await browser.newPage();
    await page.exposeFunction('keepRows', (rows) => {
      kept = named(rows, version);
      partial(kept);
    });
    page.on('console', (message) => {
      const text = message.text();
      if (!text.startsWith('[{')) log(text.slice(0, 500));
    });
    const ended = new Promise((_done, stop) => {
      page.on('crash', () => stop(new Error('The page crashed, probably for want of memory.')));
      page.on('pageerror', (error) => stop(error));
      timer = setTimeout(
        () => stop(new Error(`It took longer than ${Math.round(seconds)} seconds.`)),
        Math.max(1, 1000 * seconds - (Date.now() - begin)),
      );
    });
    ended.catch(() => undefined);
    await Promise.race([page.goto(url), ended]);
    const rows = await Promise.race([page.evaluate(() => window.result), ended]);
    return named(rows, version);
  } catch (error) {
    const message = error.message.split('\n')[0].replace(/^page\.\w+: (Error: )?/u, '');
    log(`${query}: ${message}`);
    return [...kept, { ...failed(query, message), browser: version }];
  } finally {
    clearTimeout(timer);
    // A page that is stuck in a kernel does not let its browser close in good order.
    if (browser)
      await Promise.race([browser.close(), new Promise((done) => setTimeout(done, 10_000))]);
  }
}

const named = (rows, browser) => rows.map((row) => ({ ...row, browser }));
