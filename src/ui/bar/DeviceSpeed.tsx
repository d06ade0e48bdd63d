/** What the speed of the device depends on: its threads, the tab, the battery. */
import { useId } from 'react';
import { useStore } from 'zustand';
import { threadWish, wishThreads, type RunState } from '../../store/index.ts';
import { IsolationSwitch } from './IsolationSwitch.tsx';
import { useBattery } from './useBattery.ts';

type Device = NonNullable<RunState['device']>;

export default function DeviceSpeed({ device }: { device: Device }) {
  const isOnProcessor = device.backend === 'wasm' || device.backend === 'cpu';
  return (
    <>
      {device.threads ? <ThreadChoice {...device.threads} /> : null}
      {device.backend === 'wasm' ? <IsolationSwitch /> : null}
      <SpeedNotes isOnProcessor={isOnProcessor} />
    </>
  );
}

function ThreadChoice({ count, most }: NonNullable<Device['threads']>) {
  const id = useId();
  const wished = useStore(threadWish, (state) => state.threads);
  if (most === 1) return null;
  const numbers = Array.from({ length: most }, (_, index) => index + 1);
  return (
    <div className="threads">
      <label htmlFor={id}>Threads</label>
      <select
        id={id}
        className="native-select"
        value={wished === null ? '' : Math.min(wished, most)}
        onChange={({ currentTarget: { value } }) =>
          wishThreads(value === '' ? null : Number(value))
        }
      >
        <option value="">{wished === null ? `Automatic: ${count}` : 'Automatic'}</option>
        {numbers.map((number) => (
          <option key={number} value={number}>
            {number}
          </option>
        ))}
      </select>
      <p className="small muted">
        Any number gives the same results. Fewer leave more of the processor to other programs.
      </p>
    </div>
  );
}

function SpeedNotes({ isOnProcessor }: { isOnProcessor: boolean }) {
  const battery = useBattery();
  return (
    <p className="small muted">
      A tab in the background trains on, but the browser may slow it down.
      {battery === 'discharging' ? ` ${BATTERY_NOTES[isOnProcessor ? 'processor' : 'gpu']}` : ''}
    </p>
  );
}

const BATTERY_NOTES = {
  processor: 'This computer runs on its battery, where most processors are slower.',
  gpu: 'This computer runs on its battery, where most GPUs are slower.',
} as const;
