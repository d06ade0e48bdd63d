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

export async function keepForOffline(): Promise<void> {
  if (!('caches' in self)) return;
  try {
    const cache = await caches.open(KEPT);
    for (const url of new Set(
      performance.getEntriesByType('resource').map((entry) => entry.name),
    )) {
      if (new URL(url).origin === location.origin && !(await cache.match(url)))
        await cache.add(url);
    }
  } catch {
    // A private window, or no room: the page works as long as there is a network.
  }
}
