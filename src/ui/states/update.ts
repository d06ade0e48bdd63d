/**
 * New builds of the page. The service worker of a new build waits while pages of the old one are
 * open, so that these find their parts; it takes over when the user asks for it.
 */
import { create } from 'zustand';
import { isActive, suspend, type Client } from '../../store/index.ts';

interface UpdateState {
  /** A newer version than that of this page has been downloaded. */
  ready: boolean;
}

export const useUpdate = create<UpdateState>(() => ({ ready: false }));

/** Between two looks for a new build, in milliseconds; a page may stay open for days. */
const INTERVAL_MS = 3_600_000;

/** The name that vite/page.ts gives to the cache with the parts of the build before. */
const PREVIOUS = 'previous';

let registration: ServiceWorkerRegistration | null = null;
let isTakingOver = false;

/** Registers the service worker of the built page, and looks for new builds from then on. */
export async function watchForUpdates(client: Client): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  let wasControlled = serviceWorker.controller !== null;
  serviceWorker.addEventListener('controllerchange', () => {
    if (isTakingOver) location.reload();
    // Another tab has taken the new version. On a first visit, the first one takes control.
    else if (wasControlled) useUpdate.setState({ ready: true });
    wasControlled = true;
  });
  try {
    await serviceWorker.register('./sw.js', { scope: './', updateViaCache: 'none' });
    registration = (await serviceWorker.getRegistration('./')) ?? null;
  } catch {
    // The browser allows no service worker here: every visit needs the network.
  }
  if (!registration) return;
  // A page that has just been opened has nothing to lose.
  if (registration.waiting && !isActive(client.stores.run.getState().phase)) await takeOver();
  registration.addEventListener('updatefound', noteInstalled);
  noteInstalled();
  document.addEventListener('visibilitychange', look);
  setInterval(look, INTERVAL_MS);
}

function look(): void {
  if (document.visibilityState !== 'visible') return;
  registration?.update().catch(() => {
    // There is no network, or the host is gone.
  });
}

function noteInstalled(): void {
  const worker = registration?.installing ?? registration?.waiting;
  const note = (): void => {
    if (worker?.state === 'installed' && registration?.active) useUpdate.setState({ ready: true });
  };
  worker?.addEventListener('statechange', note);
  note();
}

/** Saves the run, if any, and reloads the page as the new version. */
export async function reloadAsNewVersion(client: Client): Promise<void> {
  if (await suspend(client)) await takeOver();
  else client.notify('The page was not reloaded, because the current run could not be saved.');
}

/** Activates the waiting version and reloads. */
async function takeOver(): Promise<void> {
  isTakingOver = true;
  if (!registration?.waiting) {
    location.reload();
    return;
  }
  await keepParts();
  // eslint-disable-next-line no-restricted-syntax -- Workbox's message to the service worker, not ours
  registration.waiting.postMessage({ type: 'SKIP_WAITING' });
}

/** Keeps the parts of this version for other tabs: activating the new version clears them. */
async function keepParts(): Promise<void> {
  try {
    await caches.delete(PREVIOUS);
    const previous = await caches.open(PREVIOUS);
    const name = (await caches.keys()).find((key) => key.includes('-precache-'));
    const current = await caches.open(name ?? PREVIOUS);
    for (const request of await current.keys()) {
      const response = await current.match(request);
      if (response && request.url.includes('/assets/')) await previous.put(request, response);
    }
  } catch {
    // No room: the other tabs say which part is missing, and offer to reload.
  }
}
