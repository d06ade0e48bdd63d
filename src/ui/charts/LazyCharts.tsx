/**
 * The charts, fetched when the page is idle rather than with it.
 *
 * Not React.lazy: the retry of a suspended tree has the lowest priority, and the flushes of a
 * running worker keep it waiting.
 */
import { useEffect, useState, type ComponentType } from 'react';

let loaded: ComponentType | null = null;
const load = async (): Promise<ComponentType> => {
  loaded = (await import('./Charts.tsx')).default;
  return loaded;
};

/** Called after the first paint, so that Train finds the charts there. */
export const preloadCharts = (): void => {
  void load();
};

export function LazyCharts() {
  const [Charts, setCharts] = useState<ComponentType | null>(() => loaded);
  useEffect(() => {
    let current = true;
    if (!Charts)
      void load().then((component) => {
        if (current) setCharts(() => component);
      });
    return () => {
      current = false;
    };
  }, [Charts]);
  return Charts ? <Charts /> : <p className="empty">The charts are coming…</p>;
}
