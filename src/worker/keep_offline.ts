/**
 * Keeps what this worker has fetched for a visit without a network.
 *
 * The service worker precaches the page, but not backends and texts, of which a visitor needs one:
 * it would fetch them all. It also takes control only after the first backend has been fetched. So
 * the worker puts its own files into the cache that the service worker answers from; they come from
 * the HTTP cache, not over the network again.
 */

/** The name that vite/page.ts gives to the service worker's runtime cache. */
const KEPT = 'kept';

/** Keeps every file of the build that this worker fetches, from now on and so far. */
export function keepForOffline(): void {
  if (!('caches' in self)) return;
  const seen = new Set<string>();
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) {
      if (seen.has(name) || !isAsset(name)) continue;
      seen.add(name);
      keep(name).catch(() => {
        // A private window, no room, or a file that did not come: it is fetched at its next use.
        seen.delete(name);
      });
    }
  }).observe({ type: 'resource', buffered: true });
}

function isAsset(address: string): boolean {
  const url = new URL(address);
  return url.origin === location.origin && url.pathname.includes('/assets/');
}

async function keep(address: string): Promise<void> {
  const cache = await caches.open(KEPT);
  // Hosts that answer with `Vary: Origin` would hide the entry from a worker's request.
  if (await cache.match(address, { ignoreVary: true })) return;
  await cache.add(address);
}
