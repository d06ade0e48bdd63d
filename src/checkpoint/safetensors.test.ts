import { describe, expect, it } from 'vitest';
import { CheckpointError } from './error.ts';
import { readSafetensors, readTensor, writeSafetensors, type TensorSource } from './safetensors.ts';
import { codeOf, rawSafetensors } from './testing_states.ts';

const source = (name: string, shape: number[], values: number[]): TensorSource => ({
  name,
  shape,
  write: (out) => out.set(values),
});
const entry = (dtype: string, shape: number[], start: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [start, end],
});
const read = (header: object | string, bytes = 0) =>
  readSafetensors(
    rawSafetensors(
      typeof header === 'string' ? header : JSON.stringify(header),
      new Uint8Array(bytes),
    ),
  );

describe('writing', () => {
  it('round-trips tensors, aligned to eight bytes, with the metadata that transformers requires', () => {
    const file = writeSafetensors([
      source('a', [2, 2], [1, -2, 0.5, NaN]),
      source('empty', [0, 3], []),
      source('scalar', [], [7]),
    ]);
    expect(Number(new DataView(file.buffer).getBigUint64(0, true)) % 8).toBe(0);
    const { metadata, tensors } = readSafetensors(file);
    expect(metadata.get('format')).toBe('pt');
    expect([...tensors].map(([name, view]) => [name, view.shape, [...readTensor(view)]])).toEqual([
      ['a', [2, 2], [1, -2, 0.5, NaN]],
      ['empty', [0, 3], []],
      ['scalar', [], [7]],
    ]);
  });

  it('reads a file at an unaligned address', () => {
    const file = writeSafetensors([source('a', [3], [1, 2, 3])]);
    const moved = new Uint8Array(file.length + 1);
    moved.set(file, 1);
    const view = readSafetensors(moved.subarray(1)).tensors.get('a');
    expect(view && [...readTensor(view)]).toEqual([1, 2, 3]);
  });
});

describe('16-bit formats', () => {
  const values = (dtype: string, ...bits: number[]) => {
    const view = readSafetensors(
      rawSafetensors(
        JSON.stringify({ a: entry(dtype, [bits.length], 0, 2 * bits.length) }),
        new Uint8Array(Uint16Array.from(bits).buffer),
      ),
    ).tensors.get('a');
    return view ? [...readTensor(view)] : [];
  };
  it('reads special F16 values: largest, smallest, subnormal, zeros, infinities and NaN', () => {
    expect(
      values(
        'F16',
        0x3c00,
        0xc000,
        0x7bff,
        0x0400,
        0x0001,
        0x8001,
        0x0000,
        0x8000,
        0x7c00,
        0xfc00,
        0x7e00,
      ),
    ).toEqual([1, -2, 65504, 2 ** -14, 2 ** -24, -(2 ** -24), 0, -0, Infinity, -Infinity, NaN]);
  });
  it('reads every finite F16 value exactly', () => {
    const bits = Array.from({ length: 1 << 16 }, (_, i) => i).filter(
      (half) => ((half >> 10) & 31) !== 31,
    );
    const got = values('F16', ...bits);
    const wrong = bits.filter((half, i) => {
      const exponent = (half >> 10) & 31;
      const fraction = half & 1023;
      const sign = half & 0x8000 ? -1 : 1;
      const magnitude =
        exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      return !Object.is(got[i], sign * magnitude);
    });
    expect(wrong).toEqual([]);
  });
  it('reads BF16', () =>
    expect(values('BF16', 0x3f80, 0xc000, 0x3fc0, 0x7f80, 0x8000, 0x0001)).toEqual([
      1,
      -2,
      1.5,
      Infinity,
      -0,
      2 ** -133,
    ]));
});

describe('hostile files', () => {
  const file = writeSafetensors([source('a', [2], [1, 2]), source('b', [1], [3])]);
  const cases: [string, string, () => unknown][] = [
    ['nothing', 'truncated', () => readSafetensors(new Uint8Array())],
    [
      'a header longer than the file',
      'truncated',
      () => readSafetensors(rawSafetensors('{}', new Uint8Array(), 2n ** 63n)),
    ],
    ['a file cut short', 'truncated', () => readSafetensors(file.subarray(0, file.length - 1))],
    ['bytes after the last tensor', 'bad_offsets', () => read({ a: entry('F32', [1], 0, 4) }, 5)],
    ['a header that is an array', 'bad_header', () => read('[] ')],
    ['a header that is not JSON', 'bad_json', () => read('{"a": ')],
    ['a header of many megabytes', 'too_large', () => read(`{${' '.repeat(5 * 2 ** 20)}}`)],
    [
      'overlapping tensors',
      'bad_offsets',
      () => read({ a: entry('F32', [2], 0, 8), b: entry('F32', [2], 4, 12) }, 12),
    ],
    [
      'a gap',
      'bad_offsets',
      () => read({ a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) }, 12),
    ],
    ['reversed offsets', 'bad_shape', () => read({ a: entry('F32', [1], 4, 0) }, 4)],
    ['offsets beyond the file', 'truncated', () => read({ a: entry('F32', [4], 0, 16) }, 8)],
    ['an unknown dtype', 'bad_dtype', () => read({ a: entry('Q4', [1], 0, 4) }, 4)],
    [
      'a dtype with the name of a method',
      'bad_dtype',
      () => read({ a: entry('toString', [1], 0, 4) }, 4),
    ],
    ['a shape that does not fit', 'bad_shape', () => read({ a: entry('F32', [3], 0, 4) }, 4)],
    [
      'a shape whose product overflows',
      'bad_shape',
      () => read({ a: entry('F32', [2 ** 32, 2 ** 32, 2 ** 32], 0, 4) }, 4),
    ],
    ['a negative shape', 'bad_shape', () => read({ a: entry('F32', [-1, -1], 0, 4) }, 4)],
    ['a fractional shape', 'bad_shape', () => read({ a: entry('F32', [0.5], 0, 2) }, 2)],
    [
      'a shape of a thousand dimensions',
      'bad_shape',
      () => read({ a: entry('F32', new Array<number>(1000).fill(1), 0, 4) }, 4),
    ],
    [
      'a duplicate name',
      'duplicate_name',
      () =>
        read(
          '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' +
            '"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
          8,
        ),
    ],
    [
      '__proto__',
      'forbidden_name',
      () => read('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4),
    ],
    ['metadata that is not text', 'bad_header', () => read({ __metadata__: { format: 1 } })],
    [
      'a thousand nested arrays',
      'bad_json',
      () => read(`{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`),
    ],
    [
      'a pickle',
      'pickle',
      () =>
        readSafetensors(
          Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8),
        ),
    ],
    [
      'a torch zip',
      'pickle',
      () =>
        readSafetensors(
          new TextEncoder().encode('PK\u0003\u0004............................archive/data.pkl'),
        ),
    ],
  ];
  it.each(cases)('are refused: %s (%s)', (_name, code, action) =>
    expect(codeOf(action)).toBe(code),
  );

  it('are not confused with a header of 640 bytes, which starts like a pickle', () => {
    const json = JSON.stringify({ a: entry('F32', [1], 0, 4) }).padEnd(640);
    expect(readSafetensors(rawSafetensors(json, new Uint8Array(4))).tensors.size).toBe(1);
  });
  it('may contain masks, which cannot be read as weights', () => {
    const view = read({ mask: entry('BOOL', [4], 0, 4) }, 4).tensors.get('mask');
    expect(view?.shape).toEqual([4]);
    expect(codeOf(() => view && readTensor(view))).toBe('bad_dtype');
  });
  it('are reported in a sentence with a hint', () => {
    try {
      read({ 'evil\u0007name': entry('F32', [3], 0, 4) }, 4);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CheckpointError);
      expect(error).toMatchObject({
        message:
          'model.safetensors is damaged: evil?name has the shape [3], which does not fit its 4 bytes.',
        hint: 'Download or copy the file again: it was damaged or cut short on the way.',
      });
    }
  });
});
