import { describe, expect, it } from 'vitest';
import { broughtFiles } from './brought.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { codeOf, tinyState } from './testing_states.ts';
import { zipFolder } from './zip.ts';

const state = tinyState({});
const files = writeCheckpoint(state);

describe('broughtFiles', () => {
  it('accepts a zip, or the files of a folder', () => {
    const zip = [{ path: 'my run.zip', bytes: zipFolder(files, 'my run') }];
    const folder = [...files].map(([path, bytes]) => ({ path: `my-run/${path}`, bytes }));
    for (const list of [zip, folder])
      expect(readCheckpoint(broughtFiles(list)).parameters).toEqual(state.parameters);
  });
  it('opens no run of a backup, which has several', () => {
    const backup = new Map([...files].map(([path, bytes]) => [`runs/a/best-1/${path}`, bytes]));
    backup.set('terrarium-backup.json', new TextEncoder().encode('{}'));
    const zip = [{ path: 'runs.zip', bytes: zipFolder(backup) }];
    expect(codeOf(() => readCheckpoint(broughtFiles(zip)))).toBe('unsupported_model');
  });
  it.each([
    ['nothing', 'missing_file', []],
    [
      'a pickle',
      'pickle',
      [{ path: 'model.pt', bytes: Uint8Array.of(0x80, 2, 0x8a, 10, 0, 0, 0, 0, 0, 0) }],
    ],
    [
      'a truncated zip',
      'truncated',
      [{ path: 'a.zip', bytes: zipFolder(files).subarray(0, 2000) }],
    ],
    [
      'a text with the name of a zip',
      'bad_zip',
      [{ path: 'model.zip', bytes: new TextEncoder().encode('no zip') }],
    ],
    [
      'one file of a folder',
      'missing_file',
      [{ path: 'model.safetensors', bytes: new Uint8Array() }],
    ],
    [
      'two files of one name',
      'duplicate_name',
      [
        { path: 'a', bytes: new Uint8Array() },
        { path: 'a', bytes: new Uint8Array() },
      ],
    ],
  ])('refuses %s (%s)', (_name, code, list) =>
    expect(codeOf(() => readCheckpoint(broughtFiles(list)))).toBe(code),
  );
});
