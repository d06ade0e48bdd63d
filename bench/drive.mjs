/** Serves the built bench and runs jobs in a browser, one page each. Needs nothing but node, so that it runs on a bare GPU machine. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, resolve, sep } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.wasm': 'application/wasm' };

/** A folder on a free port of this machine, with the headers that give exact clocks: `{ url, close }`. */
export function serveFolder(folder) {
  const root = resolve(folder);
  const server = createServer((request, response) => {
    const path = resolve(join(root, decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname)));
    if (!path.startsWith(root + sep) || !statSync(path, { throwIfNoEntry: false })?.isFile()) { response.writeHead(404).end(); return; }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', 'Cache-Control': 'no-store',
      'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    createReadStream(path).pipe(response);
  });
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => done({ url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }));
  });
}

/**
 * Opens bench.html with each query in turn and gives all rows. A page that takes longer than `seconds`, or that crashes, gives
 * one row with `error`. `launch` starts a browser: one a query, so
 * that each starts with a cold cache of pipelines.
 */
export async function drive({ launch, folder, queries, seconds, log, partial = () => undefined }) {
  const server = await serveFolder(folder), rows = [];
  try {
    for (const query of queries) {
      rows.push(...await one(launch, `${server.url}bench.html?${query}`, query, seconds, log));
      partial(rows);
    }
    return rows;
  } finally { server.close(); }
}

async function one(launch, url, query, seconds, log) {
  const browser = await launch(), version = browser.version();
  let timer;
  try {
    const page = await browser.newPage();
    page.on('console', (message) => { const text = message.text(); if (!text.startsWith('[{')) log(text.slice(0, 500)); });
    const ended = new Promise((_done, failed) => {
      page.on('crash', () => failed(new Error('The page crashed, probably for want of memory.')));
      page.on('pageerror', (error) => failed(error));
      timer = setTimeout(() => failed(new Error(`It took longer than ${seconds} seconds.`)), 1000 * seconds);
    });
    ended.catch(() => undefined);
    await Promise.race([page.goto(url), ended]);
    const rows = await Promise.race([page.evaluate(() => window.result), ended]);
    return rows.map((row) => ({ ...row, browser: version }));
  } catch (error) {
    const asked = new URLSearchParams(query), message = error.message.split('\n')[0].replace(/^page\.\w+: (Error: )?/u, '');
    log(`${query}: ${message}`);
    return [{ config: asked.get('config') ?? '', backend: asked.get('backend') ?? '', mode: ['ops', 'search', 'generate'].find((kind) => asked.get(kind) === '1') ?? asked.get('mode') ?? '', error: message }];
  } finally {
    clearTimeout(timer);
    // A page that is stuck in a kernel does not let its browser close in good order.
    await Promise.race([browser.close(), new Promise((done) => setTimeout(done, 10_000))]);
  }
}
