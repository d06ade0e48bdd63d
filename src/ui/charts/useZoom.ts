/** Zoom by dragging on a chart; a double click resets it. */
import { useState } from 'react';
import type { ViewStore } from '../../store/index.ts';

/** Shorter drags, as a share of the visible domain, are taken for clicks. */
const MIN_DRAG = 0.01;

/** What recharts passes to the mouse handlers of a chart. */
interface ChartMouseState {
  activeLabel?: string | number;
}

/** `domain` is the visible range of x. Returns the range being dragged, and the chart's handlers. */
export function useZoom(view: ViewStore, domain: readonly [number, number]) {
  const [drag, setDrag] = useState<readonly [number, number] | null>(null);
  const onMouseDown = ({ activeLabel }: ChartMouseState): void => {
    if (activeLabel !== undefined) setDrag([Number(activeLabel), Number(activeLabel)]);
  };
  const onMouseMove = ({ activeLabel }: ChartMouseState): void => {
    if (drag && activeLabel !== undefined) setDrag([drag[0], Number(activeLabel)]);
  };
  const onMouseUp = (): void => {
    if (drag && Math.abs(drag[1] - drag[0]) > (domain[1] - domain[0]) * MIN_DRAG)
      view.setState({ zoom: [Math.min(...drag), Math.max(...drag)] });
    setDrag(null);
  };
  const onMouseLeave = (): void => setDrag(null);
  const onDoubleClick = (): void => view.setState({ zoom: null });
  return { drag, handlers: { onMouseDown, onMouseMove, onMouseUp, onMouseLeave, onDoubleClick } };
}
