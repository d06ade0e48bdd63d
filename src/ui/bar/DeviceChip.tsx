/**
 * The chip for the device: what computes, why, its limits, and another backend where one is wanted.
 */
import { IconCpu, IconLoader2 } from '@tabler/icons-react';
import { BACKENDS } from '../../config/index.ts';
import { bytes, compact, setField } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { Segmented } from '../Segmented.tsx';
import { Popup } from '../popup/Popup.tsx';

const TITLES = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'WebAssembly',
  cpu: 'JavaScript',
  auto: 'Automatic',
} as const;

export function DeviceChip() {
  const device = useRun((state) => state.device);
  const connection = useRun((state) => state.connection);
  const pace = useRun((state) =>
    Number.isFinite(state.tokensPerSecond) ? `${compact(state.tokensPerSecond)} tokens/s` : '',
  );
  const face = (
    <>
      {device ? <IconCpu size={16} aria-hidden /> : <IconLoader2 size={16} aria-hidden />}
      <span className="chip-name">
        {device ? TITLES[device.backend] : connection === 'dead' ? 'No device' : 'Looking…'}
      </span>
      <span className="chip-pace">{pace}</span>
    </>
  );
  return (
    <Popup
      label="Device details"
      kind="dialog"
      width={340}
      className={device !== null && device.backend !== 'webgpu' ? 'chip chip-slow' : 'chip'}
      testId="device-chip"
      face={face}
    >
      {device ? (
        <Details />
      ) : (
        <p className="muted">
          The device is being tried: a small gradient decides whether it computes rightly.
        </p>
      )}
    </Popup>
  );
}

function Details() {
  const client = useClient();
  const device = useRun((state) => state.device);
  const calibration = useRun((state) => state.calibration);
  const precision = useRun((state) => state.precision);
  const chosen = useForm((state) => state.config.runtime.backend);
  if (!device) return null;
  const rows: [string, string][] = [
    ['Adapter', device.adapter || 'not told'],
    [
      'Precision',
      precision?.mixed_precision === 'fp16'
        ? `f32, activations f16${precision.subgroup_matrices ? ', subgroup matrices' : ''}`
        : 'f32',
    ],
    ['Largest buffer', bytes(device.limits.max_buffer_size)],
    ['Largest binding', bytes(device.limits.max_binding_size)],
    ...(device.limits.workgroup_storage > 0
      ? [['Workgroup storage', bytes(device.limits.workgroup_storage)] satisfies [string, string]]
      : []),
    ['Features', device.features.join(', ') || 'none'],
    ...(calibration
      ? [
          ['Measured', `about ${compact(calibration.flops_per_second)} FLOP/s`] satisfies [
            string,
            string,
          ],
        ]
      : []),
  ];
  return (
    <div className="device">
      <h2>{TITLES[device.backend]}</h2>
      <p>
        {device.reason}
        {precision?.reason ? ` ${precision.reason}` : ''}
      </p>
      <dl>
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="small muted">Compute with (a run at hand is saved and goes on there):</p>
      <Segmented
        label="Backend"
        value={chosen}
        options={BACKENDS.map((backend) => ({ value: backend, label: backend }))}
        onChange={(backend) => {
          setField(client.stores.form, 'runtime.backend', backend);
          client.changeBackend(backend);
        }}
      />
    </div>
  );
}
