/** Loads the charts while the page is idle, instead of with the page. */
import { lazyPart } from '../states/Part.tsx';
import type { ChartsProps } from './Charts.tsx';

const { Lazy, preload } = lazyPart(() => import('./Charts.tsx'));

/** Called after the first paint, so that the charts are usually loaded when Train is pressed. */
export const preloadCharts = preload;

export const LazyCharts = (props: ChartsProps) => (
  <Lazy
    title={props.part === 'first' ? 'The loss' : 'The other charts'}
    loading={props.part === 'first' ? <p className="empty">Loading the charts…</p> : null}
    props={props}
  />
);
