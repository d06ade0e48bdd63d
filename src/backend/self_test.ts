/**
 * Whether halves come out right on this device: packed and unpacked again, and an overflow that
 * shows.
 */
import { convert } from './dispatch.ts';
import { compileProgram } from './program.ts';
import { webgpu } from './state.ts';
import { readback, Store } from './storage.ts';
import { submit } from './submit.ts';

/**
 * Of all sizes, with and without rounding; the smallest a half has with all its digits is 2^-14.
 */
const VALUES = [
  0,
  1,
  -1,
  0.333333,
  -2.718281,
  1000.7,
  -65504,
  6.2e-5,
  2 ** -14,
  3.3e-4,
  0.1,
  -512.25,
];

const checked = new WeakMap<GPUDevice, Promise<string | null>>();

/** Null where they do, else why they are not used, one sentence. Asked once a device. */
export function halvesRefused(): Promise<string | null> {
  const { device } = webgpu();
  let result = checked.get(device);
  if (!result) checked.set(device, (result = check()));
  return result;
}

async function check(): Promise<string | null> {
  const store = new Store('check of halves', [{ name: 'values', shape: [4, 4] }]);
  store.write('values', Float32Array.from([...VALUES, 1e5, -Infinity, NaN, 7]));
  const program = await compileProgram('check of halves', () => {
    const packed = convert(store.get('values'), 'float16');
    return { packed, back: convert(packed, 'float32') };
  });
  submit([program]);
  const [halves, again] = await readback([program.outputs.packed, program.outputs.back]);
  program.dispose();
  store.dispose();
  // WGSL leaves open to which side a value is rounded: one of the two neighbours, 2^-10 apart.
  const wrong = VALUES.findIndex((v, i) =>
    [halves, again].some((got) => !(Math.abs((got?.[i] ?? NaN) - v) <= 2 ** -10 * Math.abs(v))),
  );
  if (wrong >= 0)
    return `This device rounds ${VALUES[wrong]} to ${again?.[wrong]} in half precision, so the run is in single precision.`;
  const marked =
    [12, 13, 14].every((i) => Number.isNaN(halves?.[i]) && !Number.isFinite(again?.[i])) &&
    again?.[15] === 7;
  return marked
    ? null
    : 'This device hides numbers that are too large for half precision, so the run is in single precision.';
}
