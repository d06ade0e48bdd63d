/**
 * What the page does once: reads its address, opens the device after the first paint, saves when
 * the tab is hidden.
 */
import {
  ConfigError,
  decodeConfig,
  defaultConfig,
  hasConfig,
  PRESETS,
  changedFields,
} from '../config/index.ts';
import { installHeadless, isActive, takeConfig, type Client } from '../store/index.ts';
import { preloadCharts } from './charts/LazyCharts.tsx';
import { goTo } from './place.ts';

export function begin(client: Client, search = location.search): void {
  const query = new URLSearchParams(search);
  if (query.has('headless')) installHeadless(client);
  const readable = takeAddress(client, search);
  const autostart = readable && query.has('autostart');
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden' && isActive(client.stores.run.getState().phase))
      client.save();
  });
  // Two frames: the first paint needs no worker.
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      client.open(client.stores.form.getState().config.runtime.backend, !autostart);
      if (autostart) startByItself(client);
      preloadCharts();
    }),
  );
}

/**
 * False where the address holds a configuration that cannot be read; the page says so and keeps its
 * defaults.
 */
function takeAddress(client: Client, search: string): boolean {
  if (!hasConfig(search)) return true;
  try {
    const config = decodeConfig(search);
    const preset = PRESETS.find((one) => changedFields(config, one.config).length === 0);
    takeConfig(
      client.stores.form,
      config,
      preset ? { preset: preset.id, name: preset.title } : { base: defaultConfig() },
    );
    goTo({ at: 'room', tab: 'recipe' });
    return true;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    client.fail({
      code: error.code,
      message: error.message,
      hint: error.hint,
      ...(error.field ? { field: error.field } : {}),
    });
    return false;
  }
}

/** As a click on Train would; a text of one's own is waited for. */
function startByItself(client: Client): void {
  const { form } = client.stores;
  const ready = (): boolean =>
    form.getState().config.data.corpus !== 'own' || form.getState().text !== null;
  goTo({ at: 'room', tab: 'charts' });
  if (ready()) {
    client.start();
    return;
  }
  const off = form.subscribe(() => {
    if (ready()) {
      off();
      client.start();
    }
  });
}
