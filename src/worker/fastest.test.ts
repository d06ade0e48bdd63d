import { describe, expect, it } from 'vitest';
import type { DeviceInfo } from '../protocol/index.ts';
import type { Calibration } from './calibrate.ts';
import { challengerOf, speedHere } from './fastest.ts';
import { DEVICE, SessionHarness } from './testing_session.ts';

const SLOW: Calibration = { flops_per_second: 3e9, step_overhead_ms: 5 };
const FAST: Calibration = { flops_per_second: 2e12, step_overhead_ms: 5 };
const ENGINE: Calibration = { flops_per_second: 70e9, step_overhead_ms: 1 };
const PROCESSOR: DeviceInfo = { ...DEVICE, backend: 'wasm', adapter: 'CPU, 2 threads, SIMD' };

describe('the challenger of a measured backend', () => {
  it('is none for a device that is fast, so that nothing is downloaded', () => {
    expect(challengerOf(DEVICE, FAST)).toBeNull();
    expect(challengerOf(PROCESSOR, ENGINE)).toBeNull();
  });

  it('is the processor for slow WebGPU, and WebGL for a slow processor', () => {
    expect(challengerOf(DEVICE, SLOW)).toBe('wasm');
    expect(challengerOf(PROCESSOR, SLOW)).toBe('webgl');
    expect(challengerOf({ backend: 'webgl' }, SLOW)).toBeNull();
    expect(challengerOf({ backend: 'cpu' }, SLOW)).toBeNull();
  });
});

/** A session whose WebGPU and processor have these speeds; null for a backend that does not start. */
function sessionWith(speeds: { webgpu: Calibration; wasm: Calibration | null }) {
  let current: 'webgpu' | 'wasm' = 'webgpu';
  const started: string[] = [];
  const lost = new Map<string, (reason: string) => void>();
  const session = new SessionHarness({
    tryBackends: async (wanted, events) => {
      const name = wanted === 'auto' ? 'webgpu' : wanted;
      started.push(name);
      if (name !== 'webgpu' && (name !== 'wasm' || !speeds.wasm))
        throw new Error('It does not start.');
      current = name;
      lost.set(name, (reason) => events.lost(reason));
      return name === 'wasm' ? PROCESSOR : DEVICE;
    },
    calibrate: async () => speeds[current],
  });
  return { session, started, lost };
}

describe('the automatic choice', () => {
  it('takes the processor where WebGPU is slower, and says what was measured', async () => {
    const { session, lost } = sessionWith({ webgpu: SLOW, wasm: ENGINE });
    session.send({ type: 'open', backend: 'auto', calibrate: true });
    expect(await session.next('calibration')).toMatchObject(ENGINE);
    const { device } = session.all('device').at(-1) ?? {};
    expect(device?.backend).toBe('wasm');
    expect(device?.reason).toMatch(
      /^A step of a small model takes [\d.e+]+ ms by WebGPU here and \d+ ms by the processor, so/u,
    );
    // The GPU that is not used any more may be lost.
    lost.get('webgpu')?.('the driver was reset');
    session.send({ type: 'open', backend: 'auto', calibrate: true });
    await session.next('calibration');
    expect(session.all('device')).toHaveLength(2);
  });

  it('keeps WebGPU where it is faster, and opens it again', async () => {
    const { session, started } = sessionWith({
      webgpu: SLOW,
      wasm: { ...SLOW, flops_per_second: 1e9 },
    });
    session.send({ type: 'open', backend: 'auto', calibrate: true });
    expect(await session.next('calibration')).toMatchObject(SLOW);
    expect(started).toEqual(['webgpu', 'wasm', 'webgpu']);
    expect(session.all('device').map(({ device }) => device)).toEqual([DEVICE]);
  });

  it('keeps WebGPU where the processor does not start', async () => {
    const { session, started } = sessionWith({ webgpu: SLOW, wasm: null });
    session.send({ type: 'open', backend: 'auto', calibrate: true });
    expect(await session.next('calibration')).toMatchObject(SLOW);
    expect(started).toEqual(['webgpu', 'wasm', 'webgpu']);
  });

  it('measures nothing else for a fast device, or for one that was asked for', async () => {
    const fast = sessionWith({ webgpu: FAST, wasm: ENGINE });
    fast.session.send({ type: 'open', backend: 'auto', calibrate: true });
    await fast.session.next('calibration');
    expect(fast.started).toEqual(['webgpu']);
    const named = sessionWith({ webgpu: SLOW, wasm: ENGINE });
    named.session.send({ type: 'open', backend: 'webgpu', calibrate: true });
    await named.session.next('calibration');
    expect(named.started).toEqual(['webgpu']);
  });

  it('does not take a WebGL that computes on the processor', async () => {
    const software = { ...DEVICE, backend: 'webgl', adapter: 'SwiftShader Device' } as const;
    let measured = 0;
    const speed = await speedHere('auto', {
      device: {
        info: PROCESSOR,
        tryOther: async (_backend, work) => expect(await work(software)).toBeNull(),
      },
      calibrate: async () => {
        measured++;
        return SLOW;
      },
    });
    expect(speed).toBe(SLOW);
    expect(measured).toBe(1);
  });
});
