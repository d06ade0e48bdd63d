import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { crc32 } from './crc32.ts';
import { codeOf, LAYOUTS, tinyState } from './testing_states.ts';
import { unzipFolder } from './unzip.ts';
import { zipFolder } from './zip.ts';

const text = (s: string) => new TextEncoder().encode(s);
const folder = new Map([
  ['config.json', text('{"a": 1}')],
  ['sub/model.bin', Uint8Array.from({ length: 1000 }, (_, i) => i * 7)],
]);
/** Offset of the central directory. */
const centralOf = (zip: Uint8Array) =>
  new DataView(zip.buffer, zip.byteOffset).getUint32(zip.length - 6, true);
const edited = (zip: Uint8Array, at: number, ...bytes: number[]) => {
  const copy = zip.slice();
  copy.set(bytes, at);
  return copy;
};

describe('crc32', () => {
  it('gives the checksums of zip', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
    expect(crc32(text('The quick brown fox jumps over the lazy dog'))).toBe(0x414fa339);
    expect(crc32(new Uint8Array())).toBe(0);
  });
});

describe('a zip file', () => {
  it.each(Object.entries(LAYOUTS))('preserves a checkpoint of %s', (_name, change) => {
    const state = tinyState(change);
    const back = readCheckpoint(unzipFolder(zipFolder(writeCheckpoint(state), 'my run')));
    expect(back.parameters).toEqual(state.parameters);
    expect(back.optimizer).toEqual(state.optimizer);
    expect(back.config).toEqual(state.config);
    expect(back.metrics).toEqual(state.metrics);
  });
  it('stores files uncompressed, under a sanitized folder name', () => {
    const zip = zipFolder(folder, '../My run: 1');
    expect([...unzipFolder(zip).keys()]).toEqual([
      '-My-run-1/config.json',
      '-My-run-1/sub/model.bin',
    ]);
    expect(unzipFolder(zip).get('-My-run-1/sub/model.bin')?.buffer).toBe(zip.buffer);
  });
  it('may be compressed, and may contain folders and the metadata of macOS', () => {
    const zip = zipSync(
      { ...Object.fromEntries(folder), 'sub/': new Uint8Array(), '__MACOSX/._x': text('x') },
      { level: 9 },
    );
    expect(unzipFolder(zip)).toEqual(folder);
  });
});

describe('an export that another program has zipped again', () => {
  it.each(['', 'my-run/'])('opens, although its moments are still zero: %s', (base) => {
    const random = tinyState({ n_layer: 4, n_embd: 64, n_inner: 256, block_size: 64 });
    const optimizer = new Map(
      Array.from(random.optimizer, ([name, values]) => [name, new Float32Array(values.length)]),
    );
    const steps = Float64Array.from({ length: 5000 }, (_, i) => i);
    const metrics = { step: steps, 'train/loss': new Float64Array(5000).fill(2) };
    const state = { ...random, optimizer, metrics };
    const files = [...writeCheckpoint(state)].map(([path, bytes]) => [base + path, bytes] as const);
    const zip = zipSync(Object.fromEntries(files), { level: 9 });
    const unpacked = files.reduce((sum, [, bytes]) => sum + bytes.length, 0);
    expect(unpacked).toBeGreaterThan(2 * zip.length + 2 ** 20);
    expect(readCheckpoint(unzipFolder(zip)).optimizer).toEqual(optimizer);
  });

  it('may have a copy of its best checkpoint, and a text that repeats itself', () => {
    const files = Object.fromEntries([
      ...writeCheckpoint(tinyState({})),
      ...[...writeCheckpoint(tinyState({}))].map(
        ([path, bytes]) => [`best/${path}`, bytes] as const,
      ),
      ['text.bin', text('the same line\n'.repeat(150_000))],
    ]);
    expect(unzipFolder(zipSync(files, { level: 9 })).get('text.bin')).toHaveLength(2_100_000);
  });
});

describe('hostile zips', () => {
  const zip = zipFolder(folder);
  const central = centralOf(zip);
  const many = new Uint8Array(8 * 2 ** 20);
  it.each<[string, string, () => Uint8Array]>([
    ['nothing', 'bad_zip', () => new Uint8Array()],
    ['text', 'bad_zip', () => text('hello, this is not a zip file at all')],
    ['a missing end', 'truncated', () => zip.subarray(0, -1)],
    ['a missing beginning', 'bad_zip', () => zip.subarray(10)],
    ['a bomb that declares its size', 'zip_bomb', () => zipSync({ bomb: many }, { level: 9 })],
    ...['model.safetensors', 'optimizer.safetensors', 'config.json.bak', 'a/weights.bin'].map(
      (name): [string, string, () => Uint8Array] => [
        `a bomb named ${name}`,
        'zip_bomb',
        () => zipSync({ 'config.json': text('{}'), [name]: many }, { level: 9 }),
      ],
    ),
    [
      'a bomb that declares a wrong size',
      'zip_bomb',
      () => {
        const z = zipSync({ bomb: many }, { level: 9 });
        return edited(z, centralOf(z) + 24, 0, 1, 0, 0);
      },
    ],
    ['a path upwards', 'unsafe_path', () => zipSync({ '../evil': text('x') })],
    ['an absolute path', 'unsafe_path', () => zipSync({ '/evil': text('x') })],
    ['a Windows path', 'unsafe_path', () => zipSync({ 'a\\..\\evil': text('x') })],
    ['a drive', 'unsafe_path', () => zipSync({ 'C:evil': text('x') })],
    ['__proto__', 'unsafe_path', () => zipSync({ 'a/__proto__': text('x') })],
    [
      'a duplicate name',
      'duplicate_name',
      () => {
        const z = zipSync({ aa: text('x'), ab: text('y') }, { level: 0 });
        const at = centralOf(z);
        return edited(edited(z, at + 46 + 1, 98), 30 + 1, 98);
      },
    ],
    ['a changed byte', 'bad_zip', () => edited(zip, 45, 0xff)],
    [
      'an offset beyond the file',
      'bad_zip',
      () => edited(zip, central + 42, 0xff, 0xff, 0xff, 0x7f),
    ],
    [
      'a size beyond the file',
      'zip_bomb',
      () => edited(zip, central + 20, 0, 0, 0, 0x7f, 0, 0, 0, 0x7f),
    ],
    ['contradictory sizes', 'bad_zip', () => edited(zip, central + 20, 1, 0)],
    ['encryption', 'bad_zip', () => edited(zip, central + 8, 1)],
    ['an unknown compression', 'bad_zip', () => edited(zip, central + 10, 93)],
    ['a wrong number of entries', 'bad_zip', () => edited(zip, zip.length - 14, 9, 0, 9, 0)],
    ['zip64', 'too_large', () => edited(zip, zip.length - 14, 0xff, 0xff, 0xff, 0xff)],
    [
      'a pickle of PyTorch',
      'pickle',
      () => zipSync({ 'archive/data.pkl': text('x'), 'archive/data/0': text('y') }),
    ],
  ])('are refused: %s (%s)', (_name, code, bytes) =>
    expect(codeOf(() => unzipFolder(bytes()))).toBe(code),
  );
});
