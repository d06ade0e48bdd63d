/**
 * 10,000 seeded mutations of each reader's input. Each is read or causes a CheckpointError, takes not
 * much longer than an intact input, and allocates arrays of at most twice its own size.
 */
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import type { Parent } from '../common/index.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { hfConfig } from './hf_config.ts';
import { modelFromHfConfig } from './hf_import.ts';
import { encodeJson, parseJson } from './json.ts';
import { readLineage, writeLineage } from './lineage.ts';
import { metricLines, parseMetricLines, resumeLine } from './metric_columns.ts';
import { readSafetensors, readTensor } from './safetensors.ts';
import {
  allocatedBy,
  countAllocations,
  fuzz,
  join,
  mutateBytes,
  mutateText,
  MUTATIONS,
  reportTries,
  type Mutation,
} from './testing_fuzz.ts';
import { LAYOUTS, rawSafetensors, SPECIAL, tinyModel, tinyState } from './testing_states.ts';
import { readTrainingState } from './training_state.ts';
import { unzipFolder } from './unzip.ts';
import { zipFolder } from './zip.ts';

countAllocations();
reportTries('hostile checkpoints');

/**
 * Limit on `slowdown`. Originals take below a millisecond on an idle machine, so this is far below
 * the second that a user would notice.
 */
const MAX_SLOWDOWN = 40;

const fileOf = (files: ReadonlyMap<string, Uint8Array>, path: string): Uint8Array =>
  files.get(path) ?? new Uint8Array();

describe('10,000 mutations', () => {
  const float16File = (dtype: string, rows: number) =>
    rawSafetensors(
      JSON.stringify({
        a: { dtype, shape: [rows, 2], data_offsets: [0, 4 * rows] },
        b: { dtype, shape: [2], data_offsets: [4 * rows, 4 * rows + 4] },
      }),
      new Uint8Array(4 * rows + 4).fill(0x3c),
    );
  const weightsOf = (name: string) => {
    const state = tinyState({ ...LAYOUTS[name], n_layer: 1, n_embd: 8, n_inner: 8 });
    return fileOf(writeCheckpoint(state), 'model.safetensors');
  };
  const mutateHeader: Mutation = (bytes, random) => {
    if (random() < 0.4) return mutateBytes(bytes, random);
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = mutateText(bytes.subarray(8, 8 + length), random);
    const out = join(bytes.subarray(0, 8), header, bytes.subarray(8 + length));
    new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
    return out;
  };
  /** Half of the mutations are in the directory at the end, which describes the structure. */
  const mutateDirectory: Mutation = (bytes, random) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const start = random() < 0.5 ? 0 : view.getUint32(bytes.length - 6, true);
    return join(bytes.subarray(0, start), mutateBytes(bytes.subarray(start), random));
  };

  it('of safetensors', () => {
    const result = fuzz({
      seed: 1,
      originals: [
        float16File('F16', 40),
        float16File('BF16', 9),
        weightsOf('gpt2'),
        weightsOf('qwen3'),
      ],
      mutate: mutateHeader,
      read: (bytes) => [...readSafetensors(bytes).tensors.values()].map(readTensor),
    });
    const codes = [
      'bad_dtype',
      'bad_header',
      'bad_json',
      'bad_offsets',
      'bad_shape',
      'duplicate_name',
      'forbidden_name',
      'truncated',
    ];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of a zip and the folder in it', () => {
    const files = writeCheckpoint(tinyState({ layout: 'gpt2', n_layer: 1, n_embd: 8, n_inner: 8 }));
    const compressed = zipSync(Object.fromEntries(files), { level: 9 });
    const result = fuzz({
      seed: 2,
      originals: [zipFolder(files, 'run'), compressed],
      mutate: mutateDirectory,
      read: (bytes) => readCheckpoint(unzipFolder(bytes)),
    });
    const codes = ['bad_zip', 'truncated', 'unsafe_path', 'zip_bomb'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    // Unpacked files may have twice the archive's size plus 1 MB, and are decoded to as much again.
    expect(result.excess).toBeLessThan(2 ** 20);
  });

  it('of training_state.json', () => {
    const original = fileOf(writeCheckpoint(tinyState({})), 'training_state.json');
    const result = fuzz({
      seed: 3,
      originals: [original],
      mutate: mutateText,
      read: readTrainingState,
    });
    const codes = ['bad_json', 'bad_state', 'duplicate_name', 'forbidden_name', 'unknown_version'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of lineage.json', () => {
    const parents: Parent[] = [
      { kind: 'run', run: 'b7d1', name: 'calm meeting', step: 500 },
      { kind: 'imported', name: 'gpt2.zip' },
    ];
    const result = fuzz({
      seed: 4,
      originals: [null, ...parents].map((parent) =>
        writeLineage({ objective: 'sft', parent, dataset: 'questions.jsonl' }),
      ),
      mutate: mutateText,
      read: readLineage,
    });
    const codes = ['bad_json', 'bad_state', 'duplicate_name', 'forbidden_name'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of config.json', () => {
    const originals = Object.values(LAYOUTS)
      .slice(0, 8)
      .map((change) => encodeJson(hfConfig(tinyModel(change).model, SPECIAL)));
    const result = fuzz({
      seed: 5,
      originals,
      mutate: mutateText,
      read: (bytes) => modelFromHfConfig(parseJson(bytes, 'config.json')),
    });
    const codes = ['bad_header', 'bad_json', 'forbidden_name', 'unsupported_model'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
  });

  it('of metrics.jsonl', () => {
    const steps = Float64Array.from({ length: 10 }, (_, i) => i);
    const lines = metricLines({ step: steps, loss: steps.map((x) => x / 3), lr: steps });
    const result = fuzz({
      seed: 6,
      originals: [new TextEncoder().encode(lines + resumeLine(5) + lines)],
      mutate: mutateText,
      read: (bytes) => expectIncreasing(parseMetricLines(new TextDecoder().decode(bytes)).step),
    });
    expect(result.readable).toBe(MUTATIONS);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
  });
});

function expectIncreasing(steps: Float64Array): void {
  const wrong = steps.findIndex((step, i) => i > 0 && !(step > (steps[i - 1] ?? NaN)));
  if (wrong !== -1) throw new Error(`step ${steps[wrong]} is out of order`);
}

it('the fuzz test counts allocated bytes', () => {
  expect(allocatedBy(() => void new Float32Array(10))).toBe(40);
});
