/** One-time start-up: reads the URL, opens the device after first paint, saves on tab hide. */
import {
  ConfigError,
  changedFields,
  decodeConfig,
  defaultConfig,
  hasConfig,
  PRESETS,
} from '../config/index.ts';
import { installHeadless, isActive, takeConfig, type Client } from '../store/index.ts';
import { preloadCharts } from './charts/LazyCharts.tsx';
import { goTo } from './place.ts';

export function begin(client: Client, search = location.search): void {
  const query = new URLSearchParams(search);
  if (query.has('headless')) installHeadless(client);
  const valid = applyUrl(client, search);
  const autostart = valid && query.has('autostart');
  saveWhenHidden(client);
  // Waits two frames, because the first paint does not need the worker.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      client.open(client.stores.form.getState().config.runtime.backend, !autostart);
      if (autostart) startWhenReady(client);
      preloadCharts();
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
 * Loads the configuration in the URL into the form. Returns false if it is invalid; the page then
 * shows the error and keeps the defaults.
 */
function applyUrl(client: Client, search: string): boolean {
  if (!hasConfig(search)) return true;
  try {
    const config = decodeConfig(search);
    const preset = PRESETS.find((one) => changedFields(config, one.config).length === 0);
    takeConfig(
      client.stores.form,
      config,
      preset ? { preset: preset.id } : { base: defaultConfig() },
    );
    goTo({ at: 'workspace', tab: 'recipe' });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { code, message, hint, field } = error;
    client.fail({ code, message, hint, field });
    return false;
  }
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
