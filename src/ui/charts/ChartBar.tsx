/** How all charts are looked at: axis, scale, smoothing, zoom, and what lies under. */
import { ActionIcon, Button } from '@mantine/core';
import { IconX, IconZoomReset } from '@tabler/icons-react';
import { setAxis, type Axis } from '../../store/index.ts';
import { useClient, useLibrary, useView } from '../context.tsx';
import { Segmented } from '../Segmented.tsx';
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

export function ChartBar() {
  const { stores } = useClient();
  const view = useView((state) => state);
  return (
    <div className="chart-bar" role="group" aria-label="Charts">
      <Segmented
        label="Axis"
        options={AXES}
        value={view.axis}
        onChange={(axis) => setAxis(stores.view, axis)}
      />
      <Segmented
        label="Scale"
        options={SCALES}
        value={view.logY ? (view.logX ? 'loglog' : 'log') : 'linear'}
        onChange={(scale) =>
          stores.view.setState({ logY: scale !== 'linear', logX: scale === 'loglog' })
        }
      />
      <div className="smoothing">
        <label htmlFor="smoothing" className="small muted">
          Smoothing
        </label>
        <input
          id="smoothing"
          type="range"
          min={1}
          max={200}
          value={view.smoothing}
          title={`Average over about ${view.smoothing} points`}
          onChange={(event) =>
            stores.view.setState({ smoothing: event.currentTarget.valueAsNumber })
          }
        />
      </div>
      <span className="chart-bar-rest" />
      <Overlays />
      <Button
        title={
          view.zoom
            ? `Shown: ${axisText(view.zoom[0], view.axis)} to ${axisText(view.zoom[1], view.axis)}`
            : undefined
        }
        size="compact-sm"
        variant="light"
        style={{ visibility: view.zoom ? 'visible' : 'hidden' }}
        leftSection={<IconZoomReset size={15} />}
        onClick={() => stores.view.setState({ zoom: null })}
      >
        Reset zoom
      </Button>
    </div>
  );
}

/** Earlier runs under the present one, each with its colour and a way off. */
function Overlays() {
  const { stores } = useClient();
  const overlays = useLibrary((state) => state.overlays);
  const runs = useLibrary((state) => state.runs);
  return [...overlays.keys()].map((run, index) => (
    <span key={run} className="overlay">
      <i style={{ background: `var(--c-over-${(index % 4) + 1})` }} />
      {runs.find((one) => one.run === run)?.name ?? 'Earlier run'}
      <ActionIcon
        size="xs"
        variant="subtle"
        color="gray"
        aria-label="Take this run off the charts"
        onClick={() => {
          const next = new Map(overlays);
          next.delete(run);
          stores.library.setState({ overlays: next });
        }}
      >
        <IconX size={12} />
      </ActionIcon>
    </span>
  ));
}
