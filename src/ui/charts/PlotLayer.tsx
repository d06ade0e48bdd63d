/**
 * What lies over a plot and changes without new data: the crosshair with its values, the selection
 * for the zoom, and the mark of the samples that are shown. Recharts would draw the whole chart
 * again for each of them.
 *
 * It is a slider for the keyboard: arrow keys move the crosshair, with Shift they select, Enter
 * zooms into the selection, and Escape shows the whole run.
 */
import { useId, useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { nearestRow, type ViewState } from '../../store/index.ts';
import { useClient } from '../context.tsx';
import { selectSampleNear } from '../samples/shown.ts';
import { HIDDEN, selectedRange, useCrosshair } from './crosshair.ts';
import { movedTo, pixelOf, valueAt, type Move, type PlotArea, type XScale } from './plot_area.ts';
import { Readout, useReadings, type Drawn } from './Readout.tsx';
import { SampleMark } from './SampleMark.tsx';
import { axisText } from './scale.ts';

interface PlotLayerProps extends Drawn {
  view: ViewState;
  area: PlotArea;
}

export function PlotLayer(props: PlotLayerProps) {
  const { spec, view, domain, area } = props;
  const scale: XScale = { domain, log: view.logX, width: area.width };
  const crosshair = useCrosshair();
  const readings = useReadings(props, crosshair.x);
  const keys = useId();
  const x = crosshair.x ?? domain[1];
  const text = [axisText(x, view.axis), ...readings.map(({ label, text }) => `${label} ${text}`)];
  return (
    <>
      <div
        className="plot-layer"
        style={area}
        role="slider"
        tabIndex={0}
        aria-label={`${spec.title}: crosshair`}
        aria-describedby={keys}
        aria-valuemin={domain[0]}
        aria-valuemax={domain[1]}
        aria-valuenow={x}
        aria-valuetext={text.join(', ')}
        {...usePointer(props, scale)}
        onKeyDown={useKeys(props, scale)}
        onBlur={() => useCrosshair.setState(HIDDEN)}
      >
        <SampleMark view={view} scale={scale} />
        <Selection scale={scale} />
        {crosshair.x === null ? null : (
          <Readout
            title={axisText(crosshair.x, view.axis)}
            readings={readings}
            left={pixelOf(crosshair.x, scale)}
            width={area.width}
          />
        )}
      </div>
      <span id={keys} className="sr-only">
        Arrow keys move the crosshair, with Shift they select. Enter zooms, Escape resets the zoom.
      </span>
    </>
  );
}

function Selection({ scale }: { scale: XScale }) {
  const range = selectedRange(useCrosshair(), scale.domain);
  if (!range) return null;
  const [left, right] = range.map((value) => pixelOf(value, scale));
  if (left === undefined || right === undefined) return null;
  return <i className="plot-selection" style={{ left, width: right - left }} />;
}

/** Zooms into the selection, or shows the samples at the crosshair if nothing is selected. */
function useChoose({ view: { axis }, domain }: PlotLayerProps): () => void {
  const { stores } = useClient();
  return () => {
    const crosshair = useCrosshair.getState();
    const zoom = selectedRange(crosshair, domain);
    if (zoom) stores.view.setState({ zoom });
    else if (crosshair.x !== null) selectSampleNear(stores, crosshair.x, axis);
    useCrosshair.setState({ from: null });
  };
}

function usePointer(props: PlotLayerProps, scale: XScale) {
  const { view } = useClient().stores;
  const choose = useChoose(props);
  const isDown = useRef(false);
  const rowAt = ({ clientX, currentTarget }: PointerEvent): number => {
    const x = valueAt(clientX - currentTarget.getBoundingClientRect().left, scale);
    const nearest = props.rows[nearestRow(props.rows, x)]?.x ?? x;
    return Math.min(scale.domain[1], Math.max(scale.domain[0], nearest));
  };
  const release = (): void => {
    isDown.current = false;
    useCrosshair.setState({ from: null });
  };
  return {
    onPointerMove: (event: PointerEvent) => useCrosshair.setState({ x: rowAt(event) }),
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      isDown.current = true;
      useCrosshair.setState({ x: rowAt(event), from: rowAt(event) });
    },
    onPointerUp: () => {
      if (isDown.current) choose();
      release();
    },
    onPointerCancel: release,
    onPointerLeave: () => {
      if (!isDown.current) useCrosshair.setState(HIDDEN);
    },
    onDoubleClick: () => view.setState({ zoom: null }),
  };
}

const MOVES: Partial<Record<string, Move>> = {
  ArrowRight: { direction: 1, by: 'arrow' },
  ArrowUp: { direction: 1, by: 'arrow' },
  ArrowLeft: { direction: -1, by: 'arrow' },
  ArrowDown: { direction: -1, by: 'arrow' },
  PageUp: { direction: 1, by: 'page' },
  PageDown: { direction: -1, by: 'page' },
};

function useKeys(props: PlotLayerProps, scale: XScale): (event: KeyboardEvent) => void {
  const { view } = useClient().stores;
  const choose = useChoose(props);
  const { rows, domain } = props;
  const moveTo = (x: number, selecting: boolean): void => {
    const crosshair = useCrosshair.getState();
    const start = crosshair.from ?? crosshair.x ?? domain[1];
    useCrosshair.setState({ x, from: selecting ? start : null });
  };
  const escape = (): void => {
    if (useCrosshair.getState().from === null) view.setState({ zoom: null });
    useCrosshair.setState(HIDDEN);
  };
  return (event) => {
    const x = useCrosshair.getState().x ?? domain[1];
    const move = MOVES[event.key];
    if (move) moveTo(movedTo(rows, x, move, scale), event.shiftKey);
    else if (event.key === 'Home') moveTo(domain[0], event.shiftKey);
    else if (event.key === 'End') moveTo(domain[1], event.shiftKey);
    else if (event.key === 'Enter') choose();
    else if (event.key === 'Escape') escape();
    else return;
    event.preventDefault();
  };
}
