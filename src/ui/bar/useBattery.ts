/** Whether the computer runs on its battery, where the browser says so. */
import { useEffect, useState } from 'react';

/** The part of the Battery Status API that is used; TypeScript's DOM does not have it. */
interface Battery extends EventTarget {
  charging: boolean;
}

type PowerSource = 'unknown' | 'charging' | 'discharging';

export function useBattery(): PowerSource {
  const [source, setSource] = useState<PowerSource>('unknown');
  useEffect(() => {
    const stop = new AbortController();
    void readBattery().then((battery) => {
      if (!battery || stop.signal.aborted) return;
      const note = (): void => setSource(battery.charging ? 'charging' : 'discharging');
      battery.addEventListener('chargingchange', note, { signal: stop.signal });
      note();
    });
    return () => stop.abort();
  }, []);
  return source;
}

async function readBattery(): Promise<Battery | null> {
  const source: Navigator & { getBattery?: () => Promise<Battery> } = navigator;
  try {
    return (await source.getBattery?.()) ?? null;
  } catch {
    // The page may not ask in this frame.
    return null;
  }
}
