/**
 * Normal random numbers by Box and Muller (1958): of two uniform numbers u and v, one gives the
 * radius, sqrt(-2 log(1 - u)), the other the angle, 2 pi v, of two independent normal numbers.
 *
 * `Math.log`, `Math.cos` and `Math.sin` would take most of the time in which a large model starts,
 * so logarithm, cosine and sine come from tables and short polynomials. Their error is below 2^-42
 * of the radius, and float32 keeps 24 bits: if a value plus and minus a larger bound round to the
 * same float32, so does the exact value. Where they do not (one pair in 800), `exactPair` computes
 * the pair (Ziv's rounding test: Fast Evaluation of Elementary Mathematical Functions with Correctly
 * Rounded Last Bit, 1991). So the values are those of `exactPair`, bit for bit.
 */

/** Each table divides the range of its argument into 2^9 intervals. */
const TABLE_BITS = 9;
const INTERVALS = 2 ** TABLE_BITS;

/**
 * For each interval of [1, 2): 1 / centre, scaled by 2^-31, and 2 log(centre / 2). The centre of the
 * last interval is 2, so that the logarithm of a number just below 1 keeps its relative precision.
 */
const LOGARITHMS = pairsOf((i) => {
  const inverse = i === INTERVALS - 1 ? 0.5 : 1 / (1 + (i + 0.5) / INTERVALS);
  return [inverse * 2 ** -31, -2 * Math.log(2 * inverse)];
});

/** For each interval of a full turn: cosine and sine at its centre. */
const TURNS = pairsOf((i) => {
  const angle = (2 * Math.PI * (i + 0.5)) / INTERVALS;
  return [Math.cos(angle), Math.sin(angle)];
});

function pairsOf(pair: (interval: number) => [number, number]): Float64Array {
  return Float64Array.from(Array.from({ length: INTERVALS }, (_, i) => pair(i)).flat());
}

/** The step of the generator's state (mulberry32). */
const INCREMENT = 0x6d2b79f5;

/** Bound on the error of a value as a part of its radius, 16 times above the error itself. */
const ERROR_BOUND = 2 ** -38;

/** Radians of the smallest difference of two angles. */
const ANGLE_UNIT = 2 * Math.PI * 2 ** -32;

/**
 * Values of one call of `fillBlock`: few, because browsers optimize a function after it has returned
 * several times.
 */
const BLOCK = 512;

/** Indices of the pairs of the last block whose rounding is uncertain. */
const uncertain = new Int32Array(BLOCK / 2);

/**
 * Fills `values` with normal numbers of this standard deviation, a function of the seed alone: a
 * shorter array gets the first values of a longer one.
 */
export function fillNormal(values: Float32Array, std: number, seed: number): Float32Array {
  const { length } = values;
  for (let start = 0; start < length; start += BLOCK) {
    const count = fillBlock(values, start, std, seed);
    for (const i of uncertain.subarray(0, count)) {
      const [x, y] = exactPair(i, std, seed);
      values[i] = x;
      values[i + 1] = y;
    }
  }
  if (length % 2 === 1) values[length - 1] = exactPair(length - 1, std, seed)[0];
  return values;
}

/** Fills `values` with uniform numbers in [-bound, bound), a function of the seed alone. */
export function fillUniform(values: Float32Array, bound: number, seed: number): Float32Array {
  let state = seed | 0;
  for (let i = 0; i < values.length; i++) {
    state = (state + INCREMENT) | 0;
    values[i] = bound * ((mix(state) >>> 0) * 2 ** -31 - 1);
  }
  return values;
}

/**
 * Fills the block of pairs that begins at value `start`, and lists the pairs that are uncertain;
 * returns how many they are. The loop has no branch that is rarely taken, because browsers go back to
 * slow code when they take a branch for the first time.
 */
function fillBlock(values: Float32Array, start: number, std: number, seed: number): number {
  const end = Math.min(start + BLOCK, values.length - (values.length % 2));
  let state = (seed + Math.imul(start, INCREMENT)) | 0;
  let count = 0;
  for (let i = start; i < end; i += 2) {
    state = (state + INCREMENT) | 0;
    const u = mix(state);
    state = (state + INCREMENT) | 0;
    const v = mix(state);
    const radius = std * Math.sqrt(squaredRadius(u));

    // The angle is that of an interval's centre and a small rest.
    const interval = (v >>> (31 - TABLE_BITS)) & (2 * INTERVALS - 2);
    const rest = (v & (2 ** (32 - TABLE_BITS) - 1)) - 2 ** (31 - TABLE_BITS);
    const angle = rest * ANGLE_UNIT;
    const square = angle * angle;
    const cosine = radius * (1 - square * (1 / 2 - square * (1 / 24)));
    const sine = radius * angle * (1 - square * (1 / 6 - square * (1 / 120)));
    const centreCosine = TURNS[interval] ?? NaN;
    const centreSine = TURNS[interval + 1] ?? NaN;
    const x = centreCosine * cosine - centreSine * sine;
    const y = centreSine * cosine + centreCosine * sine;

    const error = radius * ERROR_BOUND;
    const lowX = Math.fround(x - error);
    const lowY = Math.fround(y - error);
    values[i] = lowX;
    values[i + 1] = lowY;
    const isCertain = lowX === Math.fround(x + error) && lowY === Math.fround(y + error);
    uncertain[count] = i;
    count += isCertain && u !== 0 ? 0 : 1;
  }
  return count;
}

/** A uniform 32-bit number of one state (mulberry32). */
function mix(state: number): number {
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return mixed ^ (mixed >>> 14);
}

/**
 * -2 log((2^32 - u) / 2^32). The difference is shifted to 2^31 or more: its top bits choose an
 * interval, and what remains of the logarithm is log(1 + r) for a small r.
 */
function squaredRadius(u: number): number {
  const difference = -u | 0;
  const shift = Math.clz32(difference);
  const mantissa = difference << shift;
  const interval = (mantissa >>> (30 - TABLE_BITS)) & (2 * INTERVALS - 2);
  const r = (mantissa >>> 0) * (LOGARITHMS[interval] ?? NaN) - 1;
  const twiceLog1p = r * (2 - r * (1 - r * (2 / 3 - r * (1 / 2))));
  return shift * (2 * Math.LN2) - (LOGARITHMS[interval + 1] ?? NaN) - twiceLog1p;
}

/** The pair of values from index `i` on, by JavaScript's own functions. */
function exactPair(i: number, std: number, seed: number): [number, number] {
  const state = (seed + Math.imul(i, INCREMENT)) | 0;
  const u = (mix((state + INCREMENT) | 0) >>> 0) / 2 ** 32;
  const v = (mix((state + 2 * INCREMENT) | 0) >>> 0) / 2 ** 32;
  const radius = std * Math.sqrt(-2 * Math.log(1 - u));
  const angle = 2 * Math.PI * v;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}
