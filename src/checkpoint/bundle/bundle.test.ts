import { describe, expect, it } from 'vitest';
import type { Lineage } from '../../common/index.ts';
import { parseStage, type StageInput } from '../../config/stage/index.ts';
import { loraParameters } from '../../model/adapter_parameters.ts';
import { parameterSize } from '../../model/parameters.ts';
import { pairsData, toyPairs, TOY_ROW_LENGTH } from '../../testing/toy_pairs.ts';
import { adapterFiles } from '../adapter_export.ts';
import { broughtFiles } from '../brought.ts';
import { BUNDLE_FILE } from '../bundle_version.ts';
import { readCheckpoint, writeCheckpoint } from '../checkpoint.ts';
import type { CheckpointState, ObjectiveTensor } from '../checkpoint_state.ts';
import { encodeJson, parseRecord } from '../json.ts';
import { splitExport } from '../run_extras.ts';
import { codeOf, tinyState } from '../testing_states.ts';
import { zipFolder } from '../zip.ts';
import { bundleFiles } from './bundle.ts';
import { tokenFiles, tokenType } from './token_files.ts';

const SPLIT = {
  train: Int32Array.from([1, 2, 3, 300]),
  val: Int32Array.from([4, 5]),
  bytes_per_token: new Uint16Array(0),
};
const lineage = (objective: string): Lineage => ({ objective, parent: null, dataset: '' });

function stateOf(change: Partial<CheckpointState> = {}): CheckpointState {
  return { ...tinyState({ layout: 'gpt2' }), ...change };
}

function pretraining(change: Partial<CheckpointState> = {}): Map<string, Uint8Array> {
  const state = stateOf(change);
  return bundleFiles({ state, checkpoint: writeCheckpoint(state), tokens: SPLIT, stage: null });
}

function ofPairs(input: StageInput): Map<string, Uint8Array> {
  const config = parseStage(input);
  const data = pairsData(toyPairs(3, 1), toyPairs(2, 2), TOY_ROW_LENGTH);
  const state = stateOf({ stage: config, lineage: lineage(config.objective) });
  const checkpoint = writeCheckpoint(state);
  return bundleFiles({ state, checkpoint, tokens: SPLIT, stage: { config, data } });
}

const bytesOf = (files: ReadonlyMap<string, Uint8Array>, path: string): number[] => [
  ...(files.get(path) ?? []),
];

describe('the tokens of a bundle', () => {
  it('are integers of two bytes, the lowest first, up to a vocabulary of 65536', () => {
    const stage = null;
    const files = tokenFiles({ tokens: SPLIT, stage }, tokenType(2 ** 16), 10);
    expect(bytesOf(files, 'train.bin')).toEqual([1, 0, 2, 0, 3, 0, 44, 1]);
    expect(bytesOf(files, 'val.bin')).toEqual([4, 0, 5, 0]);
    const wide = tokenFiles({ tokens: SPLIT, stage }, tokenType(2 ** 16 + 1), 10);
    expect(bytesOf(wide, 'val.bin')).toEqual([4, 0, 0, 0, 5, 0, 0, 0]);
  });

  it('have the chosen and the rejected answer of each pair in turn, with masks and offsets', () => {
    const files = ofPairs({ objective: 'dpo' });
    const pairs = toyPairs(3, 1).flatMap(({ chosen, rejected }) => [chosen, rejected]);
    const ids = pairs.flatMap((answer) => [...answer.ids]);
    const masks = pairs.flatMap((answer) => [...answer.mask]);
    expect(bytesOf(files, 'data/train.bin')).toEqual(ids.flatMap((id) => [id, 0]));
    expect(bytesOf(files, 'data/train_mask.bin')).toEqual(masks);
    const offsets = new Uint32Array(
      Uint8Array.from(bytesOf(files, 'data/train_offsets.bin')).buffer,
    );
    expect(offsets.length).toBe(7);
    expect(offsets.at(-1)).toBe(ids.length);
  });

  it('say where each example of a packed row begins', () => {
    const config = parseStage({ objective: 'sft', sft: { packing: true } });
    const data = pairsData([], [], 8);
    const examples = [3, 4, 5].map((length) => ({
      ids: new Int32Array(length).fill(length),
      mask: new Uint8Array(length).fill(1),
    }));
    const filled = { ...data, examples: { train: examples, val: examples } };
    const learned = { tokens: SPLIT, stage: { config, data: filled } };
    const files = tokenFiles(learned, 'uint16', 1);
    const words = (path: string): number[] => [
      ...new Uint32Array(Uint8Array.from(bytesOf(files, path)).buffer),
    ];
    expect(words('train_documents.bin')).toEqual([5, 3, 4]);
    expect(words('train_document_offsets.bin')).toEqual([0, 2, 3]);
    expect(words('val_documents.bin')).toEqual([3]);
  });
});

describe('a bundle', () => {
  it('says which tensors of transformers each parameter is', () => {
    const state = stateOf();
    const facts = parseRecord(pretraining().get(BUNDLE_FILE) ?? new Uint8Array(), BUNDLE_FILE);
    expect(facts).toMatchObject({
      bundle_version: 1,
      objective: 'pretrain',
      training: state.config.training,
      moments: ['exp_avg', 'exp_avg_sq'],
      data: { kind: 'text', row_length: state.model.block_size },
    });
  });

  it('says which tensors of PEFT the adapters are, which alone train, and needs PEFT', () => {
    const files = ofPairs({ objective: 'dpo', peft: { peft_type: 'lora', r: 3 } });
    const facts = parseRecord(files.get(BUNDLE_FILE) ?? new Uint8Array(), BUNDLE_FILE);
    const text = (path: string): string => new TextDecoder().decode(files.get(path));
    const { model } = stateOf();
    const trained = loraParameters(model, { r: 3, target_modules: 'all-linear' });
    expect(facts).toMatchObject({
      stage: { peft: { peft_type: 'lora', r: 3 } },
      parameters: trained.map(({ name, parts }) => ({ name, parts })),
      n_trainable_params: trained.reduce((sum, one) => sum + parameterSize(one), 0),
    });
    expect(text('requirements.txt')).toMatch(/^peft>=/m);
    expect(text('requirements.txt')).toMatch(/^torch>=/m);
    const plain = ofPairs({ objective: 'dpo' }).get('requirements.txt');
    expect(new TextDecoder().decode(plain)).not.toContain('peft');
  });

  it('comes back into the page as the checkpoint in it', () => {
    const state = stateOf();
    const zip = zipFolder(pretraining());
    const files = broughtFiles([{ path: 'run-bundle.zip', bytes: zip }]);
    const back = readCheckpoint(splitExport(files).checkpoint);
    expect([back.step, back.foreign]).toEqual([state.step, false]);
    expect(back.parameters).toEqual(state.parameters);
  });

  it('comes back with its adapters and their moments', () => {
    const config = parseStage({ objective: 'sft', peft: { peft_type: 'lora', r: 3 } });
    const { model } = stateOf();
    const objective_tensors = new Map<string, ObjectiveTensor>();
    const optimizer = new Map<string, Float32Array>();
    for (const [index, parameter] of loraParameters(model, config.peft).entries()) {
      const data = new Float32Array(parameterSize(parameter)).map((_, i) => index + i);
      objective_tensors.set(parameter.name, { shape: parameter.shape, data });
      for (const moment of ['exp_avg', 'exp_avg_sq'])
        optimizer.set(`${moment}.${parameter.name}`, data.slice().reverse());
    }
    const state = stateOf({ stage: config, lineage: lineage('sft'), objective_tensors, optimizer });
    const checkpoint = new Map([...writeCheckpoint(state), ...adapterFiles(state)]);
    const data = pairsData([], [], TOY_ROW_LENGTH);
    const files = bundleFiles({ state, checkpoint, tokens: SPLIT, stage: { config, data } });
    const brought = broughtFiles([{ path: 'run-bundle.zip', bytes: zipFolder(files) }]);
    const back = readCheckpoint(splitExport(brought).checkpoint);
    expect(back.foreign).toBe(false);
    expect(back.objective_tensors).toEqual(objective_tensors);
    expect(back.optimizer).toEqual(optimizer);
  });

  it('is refused if another version of the page wrote it', () => {
    const files = pretraining();
    files.set(BUNDLE_FILE, encodeJson({ bundle_version: 2 }));
    expect(() => splitExport(files)).toThrow(
      'This bundle for GPUs has version 2, and this Terrarium reads version 1.',
    );
    files.set(BUNDLE_FILE, encodeJson({}));
    expect(() => splitExport(files)).toThrow('This bundle for GPUs has no version, and this');
  });

  it.each([
    ['Muon', { training: { optimizer: 'muon' } }, {}, 'has no Muon'],
    ['PPO', {}, { lineage: lineage('ppo') }, 'learns by PPO'],
  ] as const)('is refused for %s in a sentence', (_, { ...config }, change, sentence) => {
    const state = stateOf(change);
    if ('training' in config) Object.assign(state.config.training, config.training);
    const write = () => bundleFiles({ state, checkpoint: new Map(), tokens: SPLIT, stage: null });
    expect(codeOf(write)).toBe('no_equivalent');
    expect(write).toThrow(sentence);
  });

  it('is refused for a model that transformers does not have', () => {
    const { config, model } = tinyState({ layout: 'gpt2', qk_norm: true });
    expect(() => pretraining({ config, model })).toThrow('GPT-2 layout with QK-norm');
  });
});
