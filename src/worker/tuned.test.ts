import { describe, expect, it } from 'vitest';
import { choicesOfRun, parseTuned, type TunedFile } from './tuned.ts';

const first = { 'nn 8x8x8': { tile: 'small', splits: 1, columns: 'staged' as const } };
const second = { 'nn 8x8x8': { tile: 'square', splits: 2, columns: 'separate' as const } };
const file = (choices: TunedFile['devices'][string]): TunedFile => ({
  kernels: 1,
  devices: { card: choices },
  runs: [],
});

describe('choices of a run', () => {
  it('are those of its device when it begins, and stay when the device gets others', () => {
    const begun = choicesOfRun(file(first), 'run 1', 'card');
    expect(begun.choices).toEqual(first);
    const tuned = { ...begun.file, devices: { card: second } };
    expect(choicesOfRun(tuned, 'run 1', 'card').choices).toEqual(first);
    expect(choicesOfRun(tuned, 'run 1', 'card').file).toBe(tuned);
    expect(choicesOfRun(tuned, 'run 2', 'card').choices).toEqual(second);
  });
  it('stay none where it began with none', () => {
    const begun = choicesOfRun({ kernels: 1, devices: {}, runs: [] }, 'run 1', 'card');
    expect(
      choicesOfRun({ ...begun.file, devices: { card: first } }, 'run 1', 'card').choices,
    ).toEqual({});
  });
  it('are taken anew on another device', () => {
    const begun = choicesOfRun(file(first), 'run 1', 'card');
    expect(
      choicesOfRun(
        { ...begun.file, devices: { ...begun.file.devices, other: second } },
        'run 1',
        'other',
      ).choices,
    ).toEqual(second);
  });
  it('are remembered for a hundred runs', () => {
    let all = file(first);
    for (let i = 0; i < 130; i++) all = choicesOfRun(all, `run ${i}`, 'card').file;
    expect(all.runs.length).toBe(100);
    expect(all.runs[0]?.run).toBe('run 129');
  });
});

describe('the file', () => {
  it('comes back as it was written', () =>
    expect(parseTuned(JSON.stringify(file(first)))).toEqual(file(first)));
  it.each([
    '',
    '{',
    'null',
    '{"kernels":2,"devices":{},"runs":[]}',
    '{"kernels":1,"devices":{"card":{"nn":{"tile":"small","splits":0,"columns":"staged"}}},"runs":[]}',
  ])('is empty where it is %j', (text) => {
    expect(parseTuned(text)).toEqual({ kernels: 1, devices: {}, runs: [] });
  });
});
