/** Settings of all charts: x axis, scale, smoothing, zoom and overlaid runs. */
import { ActionIcon, Button } from '@mantine/core';
import { IconX, IconZoomReset } from '@tabler/icons-react';
import { MAX_SMOOTHING, setAxis, type Axis, type ViewState } from '../../store/index.ts';
import { useClient, useLibrary, useView } from '../context.tsx';
import { Segmented } from '../Segmented.tsx';
import { HIDDEN, useCrosshair } from './crosshair.ts';
import { overlayColour } from './overlay_colour.ts';
import { axisText } from './scale.ts';

const AXES: { value: Axis; label: string }[] = [
  { value: 'step', label: 'Steps' },
  { value: 'tokens', label: 'Tokens' },
  { value: 'seconds', label: 'Time' },
];

const SCALES = [
  { value: 'linear', label: 'Linear' },
  { value: 'log', label: 'Log' },
  { value: 'loglog', label: 'Log-log' },
] as const;

type Scale = (typeof SCALES)[number]['value'];

function scaleOf({ logX, logY }: ViewState): Scale {
  if (!logY) return 'linear';
  return logX ? 'loglog' : 'log';
}

export function ChartBar() {
  const { view } = useClient().stores;
  const axis = useView((state) => state.axis);
  const scale = useView(scaleOf);
  return (
    <div className="chart-bar" role="group" aria-label="Charts">
      <Segmented
        label="Axis"
        options={AXES}
        value={axis}
        onChange={(next) => {
          useCrosshair.setState(HIDDEN);
          setAxis(view, next);
        }}
      />
      <Segmented
        label="Scale"
        options={SCALES}
        value={scale}
        onChange={(next) => view.setState({ logY: next !== 'linear', logX: next === 'loglog' })}
      />
      <Smoothing />
      <Overlays />
      <ZoomReset />
    </div>
  );
}

const smoothingText = (smoothing: number): string =>
  smoothing === 0 ? 'No average' : `Average over the last ${smoothing}% of the steps so far`;

function Smoothing() {
  const { view } = useClient().stores;
  const smoothing = useView((state) => state.smoothing);
  return (
    <div className="smoothing">
      <label htmlFor="smoothing" className="small muted">
        Smoothing
      </label>
      <input
        id="smoothing"
        type="range"
        min={0}
        max={MAX_SMOOTHING}
        value={smoothing}
        aria-valuetext={smoothingText(smoothing)}
        title={smoothingText(smoothing)}
        onChange={(event) => view.setState({ smoothing: event.currentTarget.valueAsNumber })}
      />
    </div>
  );
}

/** Over the plot while it is zoomed; announces what the charts show after the zoom changed. */
function ZoomReset() {
  const { view } = useClient().stores;
  const zoom = useView((state) => state.zoom);
  const axis = useView((state) => state.axis);
  const range = zoom ? `${axisText(zoom[0], axis)} to ${axisText(zoom[1], axis)}` : null;
  return (
    <>
      <span className="sr-only" role="status">
        {range ? `The charts show ${range}.` : ''}
      </span>
      {range ? (
        <Button
          className="zoom-reset"
          title={`Shown: ${range}`}
          size="compact-sm"
          variant="default"
          leftSection={<IconZoomReset size={15} />}
          onClick={() => view.setState({ zoom: null })}
        >
          Reset zoom
        </Button>
      ) : null}
    </>
  );
}

/** The overlaid runs with their colours, each with a button that removes it. */
function Overlays() {
  const { library } = useClient().stores;
  const overlays = useLibrary((state) => state.overlays);
  const runs = useLibrary((state) => state.runs);
  const remove = (run: string): void => {
    const remaining = new Map(overlays);
    remaining.delete(run);
    library.setState({ overlays: remaining });
  };
  return [...overlays.keys()].map((run, index) => (
    <span key={run} className="overlay">
      <i style={{ background: overlayColour(index) }} />
      <span>{runs.find((one) => one.run === run)?.name ?? 'Earlier run'}</span>
      <ActionIcon
        size="xs"
        variant="subtle"
        color="gray"
        aria-label="Remove this run from the charts"
        onClick={() => remove(run)}
      >
        <IconX size={12} />
      </ActionIcon>
    </span>
  ));
}
