/**
 * The built site on a plain file host: it works under a sub-path, without special headers, and
 * offline after the first visit, and it is small.
 */
import { gzipSync } from 'node:zlib';
import { expect, type Page, test } from '@playwright/test';
import { Site } from './site.ts';
import { TINY, Terrarium, addressOf } from './terrarium.ts';

const host = new Site();
let site: string;

test.beforeAll(async () => {
  site = (await host.start()).address;
});
test.afterAll(() => host.stop());

test('trains under a sub-path without requests to other hosts, then without its server', async ({
  page,
  context,
}) => {
  const foreign: string[] = [];
  context.on('request', (request) => {
    if (!/^(http:\/\/127\.0\.0\.1:|data:|blob:)/.test(request.url())) foreign.push(request.url());
  });
  const own = await new Site().start();
  // As many hosts answer: nothing may come from the HTTP cache unasked.
  own.headers = { 'Cache-Control': 'no-cache', Vary: 'Origin' };
  const terrarium = new Terrarium(page);
  const address = own.address + addressOf({ ...TINY, 'training.max_iters': 5 }).slice(2);
  await page.goto(address);
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await terrarium.train();
  await terrarium.done();
  // One build of the engine is kept for a visit offline: the one that this browser uses.
  await expect
    .poll(() => keptPrograms(page))
    .toEqual([expect.stringMatching(/\/(relaxed|plain)-[^/]*\.wasm$/u)]);
  await own.stop();
  await page.goto(address);
  await terrarium.train();
  await terrarium.done();
  await startRanksFirst(page, address);
  expect(foreign).toEqual([]);
});

/** Starts ranks, with the workers beside them, in a browser that has had none before. */
async function startRanksFirst(page: Page, address: string): Promise<void> {
  await page.goto(`${address}#ranks`);
  await page.getByRole('button', { name: 'Start 2 ranks', exact: true }).click();
  await expect(page.getByTestId('lab-sentence')).toContainText(/^Done\. Step 5 of 5/u, {
    timeout: 60_000,
  });
  const started = page.workers().map((worker) => worker.url());
  expect(started).toContainEqual(expect.stringContaining('/reducer_worker-'));
}

/** Addresses of the WebAssembly modules in all caches of the site. */
function keptPrograms(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const kept: string[] = [];
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      kept.push(...requests.map(({ url }) => url));
    }
    return kept.filter((url) => url.endsWith('.wasm'));
  });
}

test('has a content security policy that blocks requests to other origins', async ({ page }) => {
  await page.goto(site);
  const policy = await page
    .locator('meta[http-equiv="Content-Security-Policy"]')
    .getAttribute('content');
  for (const rule of [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    // What the URL field offers, and no other host without encryption.
    "connect-src 'self' https: http://localhost:* http://127.0.0.1:*",
    "base-uri 'none'",
    "form-action 'none'",
  ]) {
    expect(policy?.split('; ')).toContain(rule);
  }
  const violations = await page.evaluate(async () => {
    const found: string[] = [];
    document.addEventListener('securitypolicyviolation', (event) =>
      found.push(`${event.violatedDirective} ${event.blockedURI}`),
    );
    await fetch('http://127.0.0.2:9/').catch(() => undefined);
    await fetch('http://127.0.0.1:9/').catch(() => undefined);
    const base = document.createElement('base');
    base.href = 'https://example.com/';
    document.head.append(base);
    const form = document.createElement('form');
    form.action = 'https://example.com/';
    document.body.append(form);
    form.submit();
    await new Promise((resolve) => setTimeout(resolve, 300));
    return found;
  });
  expect(violations).toEqual([
    expect.stringMatching(/^connect-src http:\/\/127\.0\.0\.2:9/),
    expect.stringMatching(/^base-uri/),
    expect.stringMatching(/^form-action/),
  ]);
});

test('a visitor with WebGPU downloads under 500 kB gzipped, without corpora', async ({ page }) => {
  const sizes = new Map<string, number>();
  const reading: Promise<void>[] = [];
  page.context().on('response', (response) => {
    const { pathname } = new URL(response.url());
    if (!response.ok() || /\.(txt|json)$/.test(pathname)) return;
    reading.push(
      response.body().then(
        (body) => {
          sizes.set(pathname, gzipSync(body).length);
        },
        () => undefined,
      ),
    );
  });
  // Without the service worker, whose later downloads the visitor does not wait for.
  await page.addInitScript(() => {
    Object.defineProperty(navigator, 'serviceWorker', { value: undefined });
  });
  const terrarium = new Terrarium(page);
  await page.goto(
    site + addressOf({ ...TINY, 'runtime.backend': 'webgpu', 'training.max_iters': 6 }).slice(2),
  );
  await terrarium.train();
  await terrarium.done();
  await Promise.all(reading);
  const total = [...sizes.values()].reduce((a, b) => a + b, 0);
  console.log(`downloaded: ${Math.round(total / 1000)} kB gzipped in ${sizes.size} files`);
  expect(sizes.size).toBeGreaterThan(2);
  expect(total).toBeLessThan(500_000);
});
