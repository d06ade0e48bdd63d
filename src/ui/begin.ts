/** One-time start-up: reads the URL, opens the device after first paint, saves on tab hide. */
import { changedFields, defaultConfig, PRESETS, readAddress } from '../config/index.ts';
import { installHeadless, isActive, takeConfig, type Client } from '../store/index.ts';
import { addressNotices } from './address_notices.ts';
import { preloadCharts } from './charts/LazyCharts.tsx';
import { goTo, goToModels } from './place.ts';
import { followAddress } from './place_address.ts';
import { watchForUpdates } from './states/update.ts';

export function begin(client: Client, search = location.search): void {
  const query = new URLSearchParams(search);
  const headless = query.has('headless');
  if (headless) installHeadless(client);
  const valid = applyAddress(client, search, headless);
  const autostart = valid && query.has('autostart');
  followAddress();
  if (query.has('recipe') && location.hash === '') goToModels('stages');
  saveWhenHidden(client);
  // Waits two frames, because the first paint does not need the worker.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      client.open(client.stores.form.getState().config.runtime.backend, !autostart);
      if (autostart) startWhenReady(client);
      preloadCharts();
      void watchForUpdates(client);
    }),
  );
}

function saveWhenHidden(client: Client): void {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden' && isActive(client.stores.run.getState().phase))
      client.save();
  });
}

/**
 * Loads what can be used of the address into the form, says what cannot, and removes that from the
 * address bar. Returns whether all of it could be used. A program that drives the page gets an error
 * instead, and the defaults.
 */
function applyAddress(client: Client, search: string, headless: boolean): boolean {
  const { config, preset, given, lesson, problems, clean } = readAddress(search);
  const [problem] = problems;
  if (headless && problem) {
    const { code, message, hint, field } = problem;
    client.fail({ code, message, hint, field });
    return false;
  }
  for (const notice of addressNotices(problems)) client.notify(notice);
  if (clean !== search && new URLSearchParams(clean).size < new URLSearchParams(search).size)
    history.replaceState(history.state, '', location.pathname + clean + location.hash);
  if (!given) return problems.length === 0;
  const { form } = client.stores;
  const exact = PRESETS.find((one) => changedFields(config, one.config).length === 0);
  const base = exact ?? preset;
  takeConfig(
    form,
    config,
    base ? { preset: base.id, base: base.config } : { base: defaultConfig() },
  );
  form.setState({ lesson: lesson && new Set(lesson) });
  goTo({ at: 'workspace', tab: 'recipe' });
  return problems.length === 0;
}

/** Starts a run as a click on Train would, once the text is available. */
function startWhenReady(client: Client): void {
  const { form } = client.stores;
  const isReady = (): boolean =>
    form.getState().config.data.corpus !== 'own' || form.getState().text !== null;
  goTo({ at: 'workspace', tab: 'charts' });
  if (isReady()) {
    client.start();
    return;
  }
  const unsubscribe = form.subscribe(() => {
    if (!isReady()) return;
    unsubscribe();
    client.start();
  });
}
