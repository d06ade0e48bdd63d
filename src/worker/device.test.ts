import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ThreadChoice } from '../backend/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import { Device } from './device.ts';
import { DEVICE } from './testing_session.ts';

type Threads = NonNullable<DeviceInfo['threads']>;

/** A device whose processor has these threads, and what was asked of it. */
function deviceWith(threads: Threads) {
  const processor: DeviceInfo = { ...DEVICE, backend: 'wasm', threads };
  const asked: (number | null)[] = [];
  const device = new Device(
    {
      tryBackends: () => Promise.resolve(processor),
      changeThreads: ({ wanted }: ThreadChoice) => {
        asked.push(wanted);
        return Promise.resolve({ ...processor, threads: { ...threads, count: wanted ?? 2 } });
      },
      loss_grace_ms: 20,
    },
    { opened: () => undefined, lost: () => undefined },
  );
  return { device, asked };
}

describe('the threads of a device', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('are measured again when the page has loaded, if one seemed to be fastest', async () => {
    const { device, asked } = deviceWith({ count: 1, most: 2 });
    await device.open('auto');
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toEqual([null]);
    expect(device.info?.threads).toEqual({ count: 2, most: 2 });
  });

  it.each([
    { count: 2, most: 2 },
    { count: 1, most: 1 },
  ])('are not measured again with $count of $most', async (threads) => {
    const { device, asked } = deviceWith(threads);
    await device.open('auto');
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toEqual([]);
  });

  it('stay as they were asked for', async () => {
    const { device, asked } = deviceWith({ count: 1, most: 2 });
    await device.open('auto');
    await device.setThreads(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(asked).toEqual([1]);
  });
});
