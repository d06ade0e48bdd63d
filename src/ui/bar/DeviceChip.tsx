/** The device chip: the backend and its speed; opens the device's details and a backend choice. */
import { IconCpu, IconLoader2 } from '@tabler/icons-react';
import { BACKENDS } from '../../config/index.ts';
import { bytes, compact, setField, type RunState } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { Segmented } from '../Segmented.tsx';
import { Popup } from '../popup/Popup.tsx';
import { lazyPart } from '../states/Part.tsx';

const { Lazy: Speed } = lazyPart(() => import('./DeviceSpeed.tsx'));

const TITLES = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'Processor',
  cpu: 'Processor, JavaScript',
  auto: 'Automatic',
} as const;

const SHORT_TITLES = {
  auto: 'Auto',
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'Processor',
  cpu: 'JavaScript',
} as const;

export function DeviceChip() {
  const device = useRun((state) => state.device);
  const isSlow = device !== null && device.backend !== 'webgpu';
  return (
    <Popup
      label="Device details"
      kind="dialog"
      width={340}
      className={isSlow ? 'chip chip-slow' : 'chip'}
      testId="device-chip"
      face={<ChipFace />}
    >
      {device ? (
        <Details device={device} />
      ) : (
        <p className="muted">Testing the device: a small gradient checks that it is accurate.</p>
      )}
    </Popup>
  );
}

function ChipFace() {
  const name = useRun(({ device, connection }) => {
    if (device) return TITLES[device.backend];
    return connection === 'dead' ? 'No device' : 'Testing the device…';
  });
  const hasDevice = useRun((state) => state.device !== null);
  const speed = useRun((state) =>
    Number.isFinite(state.tokensPerSecond) ? `${compact(state.tokensPerSecond)} tokens/s` : '',
  );
  return (
    <>
      {hasDevice ? <IconCpu size={16} aria-hidden /> : <IconLoader2 size={16} aria-hidden />}
      <span className="chip-name">{name}</span>
      <span className="chip-speed">{speed}</span>
    </>
  );
}

type Device = NonNullable<RunState['device']>;

function Details({ device }: { device: Device }) {
  const client = useClient();
  const calibration = useRun((state) => state.calibration);
  const precision = useRun((state) => state.precision);
  const chosen = useForm((state) => state.config.runtime.backend);
  return (
    <div className="device">
      <h2>{TITLES[device.backend]}</h2>
      <p>
        {device.reason}
        {precision?.reason ? ` ${precision.reason}` : ''}
      </p>
      <dl>
        {detailRows(device, precision, calibration).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="small muted">Run on (the current run is saved and continues there):</p>
      <Segmented
        label="Backend"
        value={chosen}
        options={BACKENDS.map((backend) => ({ value: backend, label: SHORT_TITLES[backend] }))}
        onChange={(backend) => {
          setField(client.stores.form, 'runtime.backend', backend);
          void client.changeBackend(backend);
        }}
      />
      <Speed title="What its speed depends on" props={{ device }} />
    </div>
  );
}

function detailRows(
  { adapter, limits, features, memory_bytes }: Device,
  precision: RunState['precision'],
  calibration: RunState['calibration'],
): [string, string][] {
  const rows: [string, string][] = [
    ['Adapter', adapter || 'not reported'],
    ['Precision', precisionText(precision)],
    ...memoryRows(limits, memory_bytes ?? null),
  ];
  rows.push(['Features', features.join(', ') || 'none']);
  if (calibration)
    rows.push([
      'Estimated speed',
      `about ${compact(calibration.flops_per_second)} FLOP/s in training`,
    ]);
  return rows;
}

/** `most`: bytes of the processor's memory, if they are limited. */
function memoryRows(limits: Device['limits'], most: number | null): [string, string][] {
  if (most !== null) return [['Memory', `up to ${bytes(most)}`]];
  const rows: [string, string][] = [
    ['Largest buffer', bytes(limits.max_buffer_size)],
    ['Largest binding', bytes(limits.max_binding_size)],
  ];
  if (limits.workgroup_storage > 0)
    rows.push(['Workgroup storage', bytes(limits.workgroup_storage)]);
  return rows;
}

function precisionText(precision: RunState['precision']): string {
  if (precision?.mixed_precision !== 'fp16') return 'float32';
  const matrices = precision.subgroup_matrices ? ', subgroup matrices' : '';
  return `float32, activations float16${matrices}`;
}
