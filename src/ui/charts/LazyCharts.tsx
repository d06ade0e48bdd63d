/**
 * Loads the charts while the page is idle, instead of with the page.
 *
 * Does not use React.lazy, because React retries a suspended tree at the lowest priority, and the
 * updates of a running worker would starve it.
 */
import { useEffect, useState, type ComponentType } from 'react';
import type { ChartsProps } from './Charts.tsx';

let loaded: ComponentType<ChartsProps> | null = null;
const load = async (): Promise<ComponentType<ChartsProps>> => {
  loaded = (await import('./Charts.tsx')).default;
  return loaded;
};

/** Called after the first paint, so that the charts are usually loaded when Train is pressed. */
export const preloadCharts = (): void => {
  void load();
};

export function LazyCharts({ part }: ChartsProps) {
  const [Charts, setCharts] = useState<ComponentType<ChartsProps> | null>(() => loaded);
  useEffect(() => {
    if (Charts) return undefined;
    let mounted = true;
    void load().then((component) => {
      if (mounted) setCharts(() => component);
    });
    return () => {
      mounted = false;
    };
  }, [Charts]);
  if (Charts) return <Charts part={part} />;
  return part === 'first' ? <p className="empty">Loading the charts…</p> : null;
}
