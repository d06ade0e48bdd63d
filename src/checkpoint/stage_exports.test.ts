/**
 * Checkpoints of stages: they come back as they were, and transformers and PEFT should open them. If
 * EXPORT_DIR is set, they are written there, with what our engine computes, for
 * scripts/check_stage_exports.py.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { startBackend } from '../backend/index.ts';
import type { ChatFormat } from '../data/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { expectClose } from '../testing/expect_close.ts';
import { adapterFiles } from './adapter_export.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { CheckpointState, ReadState } from './checkpoint_state.ts';
import type { Files } from './folder.ts';
import { encodeJson, parseRecord } from './json.ts';
import { readSafetensors } from './safetensors.ts';
import { codeOf } from './testing_states.ts';
import {
  computed,
  CONVERSATIONS,
  STAGE_CASES,
  stageFormat,
  stageRows,
  stageState,
  T,
} from './testing_stage_states.ts';

let chat: ChatFormat;
beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
  chat = await stageFormat();
});

const folderOf = (state: CheckpointState): Files =>
  new Map([...writeCheckpoint(state, { plain: true }), ...adapterFiles(state)]);

const namesOf = (files: Files, path: string): string[] => [
  ...readSafetensors(files.get(path) ?? new Uint8Array(), path).tensors.keys(),
];

describe.each(STAGE_CASES)('the checkpoint of $name', (one) => {
  it('comes back as it was', () => {
    const { state } = stageState(one, chat);
    const back = readCheckpoint(folderOf(state));
    expect(back.parameters).toEqual(state.parameters);
    expect(back.objective_tensors).toEqual(state.objective_tensors);
    expect(back.stage).toEqual(JSON.parse(JSON.stringify(state.stage)));
    expect(back.model).toEqual(state.model);
  });

  it('has what our engine computes, for transformers', async () => {
    const { state, stage } = stageState(one, chat);
    const files = folderOf(state);
    const { rows, lengths } = stageRows(chat);
    const scored = stage.objective === 'reward';
    const adapted = stage.peft.peft_type === 'lora';
    const values = scored ? 'scores' : 'logits';
    const chosen = (all: Float32Array): Float32Array =>
      scored ? all.filter((_, i) => i % T === (lengths[Math.floor(i / T)] ?? 0) - 1) : all;
    const whole = chosen(await computed(state, rows, { values, adapters: true }));
    const base = chosen(await computed(state, rows, { values, adapters: false }));
    if (adapted) expect(whole).not.toEqual(base);
    else expect(whole).toEqual(base);
    const conversations = CONVERSATIONS.map((messages) => ({
      messages,
      ids: [...chat.encodePrompt(messages)],
    }));
    const { eos_token_id, pad_token_id } = chat;
    const shape = scored ? [rows.length] : [rows.length, T, state.model.vocab_size];
    const facts = { scored, adapted, rows, lengths, shape, conversations };
    write(one.name, {
      files,
      expected: { ...facts, eos_token_id, pad_token_id },
      values: { expected_values: whole, expected_base: base },
    });
  });

  it('keeps adapters by the names and shapes of PEFT', () => {
    const { state, stage } = stageState(one, chat);
    const files = folderOf(state);
    if (stage.peft.peft_type !== 'lora') {
      expect(files.has('adapter/adapter_config.json')).toBe(false);
      return;
    }
    const names = namesOf(files, 'adapter/adapter_model.safetensors');
    const block =
      state.model.layout === 'gpt2'
        ? { attention: ['attn.c_attn', 'attn.c_proj'], mlp: ['mlp.c_fc', 'mlp.c_proj'] }
        : {
            attention: ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((name) => `self_attn.${name}`),
            mlp: ['gate_proj', 'up_proj', 'down_proj'].map((name) => `mlp.${name}`),
          };
    const path = state.model.layout === 'gpt2' ? 'transformer.h' : 'model.layers';
    const { target_modules: target } = stage.peft;
    const modules = target === 'all-linear' ? [...block.attention, ...block.mlp] : block[target];
    const expected = [0, 1].flatMap((layer) =>
      modules.flatMap((module) =>
        ['A', 'B'].map((half) => `base_model.model.${path}.${layer}.${module}.lora_${half}.weight`),
      ),
    );
    if (stage.objective === 'reward') expected.push('base_model.model.score.weight');
    expect(names.sort()).toEqual(expected.sort());
    expect(namesOf(files, 'objective.safetensors')).toEqual(
      expect.arrayContaining(expected.filter((name) => name.includes('lora_'))),
    );
    const config = parseRecord(
      files.get('adapter/adapter_config.json') ?? new Uint8Array(),
      'adapter_config.json',
    );
    expect(config).toMatchObject({
      peft_type: 'LORA',
      r: stage.peft.r,
      fan_in_fan_out: state.model.layout === 'gpt2',
      task_type: stage.objective === 'reward' ? 'SEQ_CLS' : 'CAUSAL_LM',
    });
  });
});

interface Written {
  files: Files;
  expected: Record<string, unknown>;
  values: Record<string, Float32Array>;
}

function write(name: string, { files, expected, values }: Written): void {
  const folder = process.env.EXPORT_DIR;
  if (!folder) return;
  const floats = Object.entries(values).map(([file, data]): [string, Uint8Array] => [
    `${file}.f32`,
    new Uint8Array(data.slice().buffer),
  ]);
  for (const [path, bytes] of [
    ...files,
    ['stage_expected.json', encodeJson(expected)] as const,
    ...floats,
  ]) {
    const target = join(folder, name, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, bytes);
  }
}

describe('a folder made elsewhere', () => {
  /** The folder as transformers and PEFT would have written it: without the files that are ours. */
  function foreign(name: string): { files: Map<string, Uint8Array>; state: CheckpointState } {
    const one = STAGE_CASES.find((candidate) => candidate.name === name);
    if (!one) throw new Error(`No case ${name}.`);
    const { state } = stageState(one, chat);
    const ours = ['training_state.json', 'objective.safetensors', 'lineage.json', 'stage.json'];
    const files = new Map([...folderOf(state)].filter(([path]) => !ours.includes(path)));
    return { files, state };
  }
  const logits = (state: CheckpointState, adapters: boolean): Promise<Float32Array> =>
    computed(state, stageRows(chat).rows, { values: 'logits', adapters });
  const scored = (state: CheckpointState, adapters: boolean): Promise<Float32Array> =>
    computed(state, stageRows(chat).rows, { values: 'scores', adapters });

  it.each(['lora_gpt2', 'lora_llama', 'lora_qwen3_mlp'])(
    'comes in with its adapter merged: %s',
    async (name) => {
      const { files, state } = foreign(name);
      const back: ReadState = readCheckpoint(files);
      expect(back.foreign).toBe(true);
      expect(back.notes.join()).toMatch('merged');
      expect(back.objective_tensors.size).toBe(0);
      const tolerance = { atol: 1e-5, rtol: 1e-5 };
      expectClose(await logits(back, false), await logits(state, true), tolerance, 'logits');
    },
  );

  it.each(['reward_gpt2', 'reward_llama_untied', 'reward_lora_llama'])(
    'comes in as a reward model: %s',
    async (name) => {
      const { files, state } = foreign(name);
      const back = readCheckpoint(files);
      expect([...back.objective_tensors.keys()]).toEqual(['score.weight']);
      expect(back.model.tie_word_embeddings).toBe(true);
      const tolerance = { atol: 1e-5, rtol: 1e-5 };
      expectClose(await scored(back, false), await scored(state, true), tolerance, 'scores');
    },
  );

  it('is refused if its adapter is more than LoRA, or belongs to another model', () => {
    const { files } = foreign('lora_llama');
    const config = (changes: object): Files =>
      new Map([
        ...files,
        [
          'adapter/adapter_config.json',
          encodeJson({ peft_type: 'LORA', r: 3, lora_alpha: 6, ...changes }),
        ],
      ]);
    expect(codeOf(() => readCheckpoint(config({ use_dora: true })))).toBe('unsupported_model');
    expect(codeOf(() => readCheckpoint(config({ bias: 'all' })))).toBe('unsupported_model');
    expect(codeOf(() => readCheckpoint(config({ alpha_pattern: { q_proj: 2 } })))).toBe(
      'unsupported_model',
    );
    expect(codeOf(() => readCheckpoint(config({ peft_type: 'IA3' })))).toBe('bad_header');
    const gpt2 = foreign('lora_gpt2').files.get('adapter/adapter_model.safetensors');
    const mixed = new Map([
      ...files,
      ['adapter/adapter_model.safetensors', gpt2 ?? new Uint8Array()],
    ]);
    expect(codeOf(() => readCheckpoint(mixed))).toBe('unexpected_tensor');
    const incomplete = new Map(files);
    incomplete.delete('adapter/adapter_model.safetensors');
    expect(codeOf(() => readCheckpoint(incomplete))).toBe('missing_file');
  });

  it('is refused if it has an adapter alone', () => {
    const alone = [...foreign('lora_llama').files].filter(([path]) => path.startsWith('adapter/'));
    expect(() => readCheckpoint(new Map(alone))).toThrow('without the model that it belongs to');
  });

  it('is refused if it sorts texts into several classes', () => {
    const { files } = foreign('reward_gpt2');
    const json = parseRecord(files.get('config.json') ?? new Uint8Array(), 'config.json');
    const id2label = { '0': 'bad', '1': 'good' };
    files.set('config.json', encodeJson({ ...json, id2label }));
    expect(codeOf(() => readCheckpoint(files))).toBe('unsupported_model');
  });
});
