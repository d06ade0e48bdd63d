import { describe, expect, it } from 'vitest';
import { FILES } from './folder.ts';
import { exportTensors, importTensors } from './hf_weights.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';
import { codeOf, LAYOUTS, tinyState } from './testing_states.ts';

const fileOf = (state: ReturnType<typeof tinyState>): Uint8Array =>
  writeSafetensors(exportTensors(state.model, state.parameters));
const viewsIn = (file: Uint8Array) => [...readSafetensors(file, FILES.weights).tensors.values()];

describe('weights of a large model', () => {
  it.each(Object.entries(LAYOUTS))('are decoded when they are read: %s', (_name, change) => {
    const state = tinyState(change);
    const views = viewsIn(fileOf(state));
    const weights = importTensors(state.model, views, 0);
    expect(weights).not.toBeInstanceOf(Map);
    expect(new Map(weights)).toEqual(importTensors(state.model, views));
    const [name = ''] = weights.keys();
    expect(weights.get(name)).not.toBe(weights.get(name));
    expect(weights.get(name)).toEqual(state.parameters.get(name));
    expect(weights.get('lm_head')).toBeUndefined();
  });

  it('are checked before they are read', () => {
    const state = tinyState(LAYOUTS.llama ?? {});
    const [name = ''] = state.parameters.keys();
    const last = Float32Array.from(state.parameters.get(name) ?? []);
    last[last.length - 1] = NaN;
    const broken = { ...state, parameters: new Map([...state.parameters, [name, last]]) };
    const views = viewsIn(fileOf(broken));
    expect(codeOf(() => importTensors(state.model, views, 0))).toBe('not_finite');
  });

  it.each([
    ['BF16', 0x7f80, 0x7f7f],
    ['F16', 0x7c00, 0x7bff],
  ] as const)('in %s may have the largest number, but not infinity', (dtype, infinite, largest) => {
    const state = tinyState({ layout: 'gpt2' });
    const views = (word: number) =>
      viewsIn(fileOf(state)).map((view) => {
        const words = new Uint16Array(view.bytes.length / 4).fill(word);
        return { ...view, dtype, bytes: new Uint8Array(words.buffer) };
      });
    expect(importTensors(state.model, views(largest)).size).toBe(state.parameters.size);
    expect(codeOf(() => importTensors(state.model, views(infinite)))).toBe('not_finite');
  });
});
