/** Checks whether float16 storage works on this device. */
import { convert } from './dispatch.ts';
import { compileProgram } from './program.ts';
import { readback } from './readback.ts';
import { webgpu } from './state.ts';
import { Store } from './store.ts';
import { submit } from './submit.ts';

/**
 * Values of all magnitudes, with and without rounding. 2^-14 is the smallest normal float16 value.
 */
const VALUES = [
  ...[0, 1, -1, 0.333333, -2.718281, 1000.7, -65504, 6.2e-5],
  ...[2 ** -14, 3.3e-4, 0.1, -512.25],
];
/** Values that must come back as NaN or infinity, followed by one that must survive beside them. */
const OVERFLOWS = [1e5, -Infinity, NaN, 7];

/** WGSL leaves the direction of rounding open: either of two neighbours, 2^-10 apart. */
const MAX_RELATIVE_ERROR = 2 ** -10;

const checked = new WeakMap<GPUDevice, Promise<string | null>>();

/** Null if float16 storage works, else one sentence that says why it can't be used. Cached. */
export function float16UnsupportedReason(): Promise<string | null> {
  const { device } = webgpu();
  const known = checked.get(device);
  if (known) return known;
  const result = check();
  checked.set(device, result);
  return result;
}

async function check(): Promise<string | null> {
  const { packed, unpacked } = await packAndUnpack();
  const isWrong = (value: number, actual = NaN): boolean =>
    !(Math.abs(actual - value) <= MAX_RELATIVE_ERROR * Math.abs(value));
  const wrong = VALUES.findIndex(
    (value, i) => isWrong(value, packed?.[i]) || isWrong(value, unpacked?.[i]),
  );
  if (wrong >= 0)
    return (
      `This device rounds ${VALUES[wrong]} to ${unpacked?.[wrong]} in half precision, ` +
      'so the run is in single precision.'
    );
  const first = VALUES.length;
  const overflowShows =
    [first, first + 1, first + 2].every(
      (i) => Number.isNaN(packed?.[i]) && !Number.isFinite(unpacked?.[i]),
    ) && unpacked?.[first + 3] === 7;
  if (overflowShows) return null;
  return (
    'This device hides numbers that are too large for half precision, ' +
    'so the run is in single precision.'
  );
}

async function packAndUnpack(): Promise<
  Record<'packed' | 'unpacked', ArrayLike<number> | undefined>
> {
  const store = new Store('float16 check', [{ name: 'values', shape: [4, 4] }]);
  store.write('values', Float32Array.from([...VALUES, ...OVERFLOWS]));
  const program = await compileProgram('float16 check', () => {
    const packed = convert(store.get('values'), 'float16');
    return { packed, unpacked: convert(packed, 'float32') };
  });
  submit([program]);
  const [packed, unpacked] = await readback([program.outputs.packed, program.outputs.unpacked]);
  program.dispose();
  store.dispose();
  return { packed, unpacked };
}
