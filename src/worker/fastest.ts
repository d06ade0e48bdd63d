/**
 * Whether another backend is faster here than the one that usually is the fastest. Only measured
 * where that one is slow, so that other visitors do not download a second backend.
 */
import { isSoftwareRenderer } from '../backend/index.ts';
import { type BackendName, defaultConfig, type RunConfig } from '../config/index.ts';
import { guessVocab, planRun, stepSeconds } from '../plan/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import type { Calibration } from './calibrate.ts';
import type { Device } from './device.ts';

/** FLOP/s. WebGPU at this speed or faster is not compared: a laptop's processor is far slower. */
const FAST_ENOUGH = 60e9;
/** FLOP/s. The engine on the processor is compared with WebGL only if it is slower than this. */
const ENGINE_FAST_ENOUGH = 10e9;

/** The backend that may be faster than one that was measured; null if none may. */
export function challengerOf(
  { backend }: Pick<DeviceInfo, 'backend'>,
  { flops_per_second }: Calibration,
): BackendName | null {
  switch (backend) {
    case 'webgpu':
      return flops_per_second < FAST_ENOUGH ? 'wasm' : null;
    case 'wasm':
      return flops_per_second < ENGINE_FAST_ENOUGH ? 'webgl' : null;
    case 'webgl':
    case 'cpu':
      return null;
    default:
      return backend satisfies never;
  }
}

/** Milliseconds of a step of the default model. */
function stepMs(speed: Calibration): number {
  const config = defaultConfig();
  return 1000 * stepSeconds(config, planRun(config, { vocab_size: guessVocab(config) }), speed);
}

/** What the choice needs: the device that is open, and how to measure. */
export interface Choice {
  device: Pick<Device, 'info' | 'tryOther'>;
  calibrate: () => Promise<Calibration | null>;
}

/**
 * Measures the open device. If the choice was left to the page, its challenger is measured as well,
 * and the faster of the two stays open. Resolves to the speed of the device that is open then, or to
 * null if the measurement was cancelled.
 */
export async function speedHere(
  wanted: RunConfig['runtime']['backend'],
  { device, calibrate }: Choice,
): Promise<Calibration | null> {
  const measured = await calibrate();
  if (!measured || wanted !== 'auto') return measured;
  const first = device.info;
  const challenger = first && challengerOf(first, measured);
  if (!challenger) return measured;
  let chosen = measured;
  await device.tryOther(challenger, async (other) => {
    if (isSoftwareRenderer(other.adapter)) return null;
    const speed = await calibrate();
    if (!speed || stepMs(speed) >= stepMs(measured)) return null;
    chosen = speed;
    return fasterSentence({ name: first.backend, ms: stepMs(measured) }, challenger, stepMs(speed));
  });
  return chosen;
}

const TITLE: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'the processor',
  cpu: 'plain JavaScript',
};

function fasterSentence(
  slower: { name: BackendName; ms: number },
  faster: BackendName,
  ms: number,
): string {
  const small = (value: number): string => value.toPrecision(2);
  const title = TITLE[slower.name];
  return (
    `A step of a small model takes ${small(slower.ms)} ms by ${title} here and ${small(ms)} ms ` +
    `by ${TITLE[faster]}, so ${TITLE[faster]} is used.`
  );
}
