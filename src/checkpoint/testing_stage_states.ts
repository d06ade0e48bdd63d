/** Checkpoints of stages after pretraining, and what our engine computes with them. For tests. */
import { type Program, readback, submit } from '../backend/index.ts';
import type { Message } from '../common/index.ts';
import type { ModelConfig } from '../config/index.ts';
import { parseStage, type StageInput } from '../config/stage/index.ts';
import { type ChatFormat, trainBpeTokenizer } from '../data/index.ts';
import { chatFormat } from '../data/conversations/index.ts';
import { LoraAdapters } from '../model/adapters.ts';
import {
  createStores,
  disposeStores,
  head,
  hiddenStates,
  loraParameters,
  listParameters,
  scoreParameter,
  scores,
  valueProgram,
  writeBatch,
} from '../model/index.ts';
import { parameterSize } from '../model/parameters.ts';
import type { CheckpointState, ObjectiveTensor } from './checkpoint_state.ts';
import { SCORE } from './score_head.ts';
import { seeded, tinyState } from './testing_states.ts';

export interface StageCase {
  name: string;
  model: Partial<ModelConfig>;
  stage: StageInput;
}

const LLAMA = { layout: 'llama', activation_function: 'silu', n_kv_head: 2 } as const;
const LORA = { peft_type: 'lora', r: 3, lora_alpha: 6 } as const;

export const STAGE_CASES: readonly StageCase[] = [
  { name: 'sft_gpt2', model: { layout: 'gpt2' }, stage: { objective: 'sft' } },
  { name: 'lora_gpt2', model: { layout: 'gpt2' }, stage: { objective: 'sft', peft: LORA } },
  {
    name: 'lora_gpt2_attention',
    model: { layout: 'gpt2', bias: false },
    stage: { objective: 'dpo', peft: { ...LORA, target_modules: 'attention' } },
  },
  { name: 'lora_llama', model: LLAMA, stage: { objective: 'grpo', peft: LORA } },
  {
    name: 'lora_qwen3_mlp',
    model: { ...LLAMA, qk_norm: true, tie_word_embeddings: false },
    stage: { objective: 'sft', peft: { ...LORA, target_modules: 'mlp' } },
  },
  { name: 'reward_gpt2', model: { layout: 'gpt2' }, stage: { objective: 'reward' } },
  {
    name: 'reward_llama_untied',
    model: { ...LLAMA, tie_word_embeddings: false },
    stage: { objective: 'reward' },
  },
  { name: 'reward_lora_llama', model: LLAMA, stage: { objective: 'reward', peft: LORA } },
  {
    name: 'reward_lora_gpt2',
    model: { layout: 'gpt2' },
    stage: { objective: 'reward', peft: { ...LORA, r: 2 } },
  },
];

const TEXT = 'The fox ran over the hill. Who ran? The fox. A hen sat on the mat and slept.\n';
export const T = 12;

export async function stageFormat(): Promise<ChatFormat> {
  return chatFormat(await trainBpeTokenizer([TEXT, TEXT], { vocab_size: 290 }));
}

/** A checkpoint with random weights, adapters (B not zero) and score. */
export function stageState({ model: change, stage: input }: StageCase, chat: ChatFormat) {
  const stage = parseStage(input);
  const base = tinyState({ ...change, block_size: T }, 3, chat.tokenizer.vocab_size);
  const random = seeded(9);
  const draw = (size: number): Float32Array =>
    Float32Array.from({ length: size }, () => random() - 0.5);
  const objective_tensors = new Map<string, ObjectiveTensor>();
  const own = stage.peft.peft_type === 'lora' ? loraParameters(base.model, stage.peft) : [];
  if (stage.objective === 'reward') own.push(scoreParameter(base.model));
  for (const parameter of own) {
    const { name, shape } = parameter;
    objective_tensors.set(name, { shape, data: draw(parameterSize(parameter)) });
  }
  const state: CheckpointState = {
    ...base,
    optimizer: new Map(),
    metrics: undefined,
    tokenizer: chat.tokenizer,
    eos_token_id: chat.eos_token_id,
    bos_token_id: undefined,
    pad_token_id: chat.pad_token_id,
    chat_template: chat.chat_template,
    objective_tensors,
    stage,
  };
  return { state, stage };
}

/** Rows of ids of several lengths, padded on the right. */
export function stageRows({ pad_token_id }: ChatFormat): { rows: number[][]; lengths: number[] } {
  const lengths = [T, 5, 8];
  const rows = lengths.map((length, row) =>
    Array.from({ length: T }, (_, t) =>
      t < length ? (t * 7 + row * 31 + t * t) % 270 : pad_token_id,
    ),
  );
  return { rows, lengths };
}

export const CONVERSATIONS: readonly Message[][] = [
  [{ role: 'user', content: 'Who ran?' }],
  [
    { role: 'system', content: ' Be brief. ' },
    { role: 'user', content: 'Who sat?\n' },
    { role: 'assistant', content: 'A hen.' },
    { role: 'user', content: 'Where? <|end|> naïve 🦊' },
  ],
];

interface Wanted {
  /** Scores of all tokens [rows T], or logits [rows T vocab_size]. */
  values: 'scores' | 'logits';
  adapters: boolean;
}

/** What the current backend computes with the weights of the state. */
export async function computed(
  state: CheckpointState,
  rows: readonly number[][],
  { values, adapters }: Wanted,
): Promise<Float32Array> {
  const { model, objective_tensors = new Map<string, ObjectiveTensor>() } = state;
  const { peft } = parseStage(state.stage ?? {});
  const lora = adapters && peft.peft_type === 'lora';
  const own = lora ? loraParameters(model, peft) : [];
  if (objective_tensors.has(SCORE)) own.push(scoreParameter(model));
  const stores = createStores({
    model,
    batch_size: rows.length,
    parameters: [...own, ...listParameters(model)],
    adapters: lora ? new LoraAdapters(model, peft) : null,
  });
  for (const { name } of stores.weights.parameters) {
    const data = state.parameters.get(name) ?? objective_tensors.get(name)?.data;
    if (data) stores.weights.write(name, data);
  }
  const options = { name: values, reference: null };
  const program = await valueProgram(stores, options, ({ forward }) => {
    const hidden = hiddenStates(forward);
    return values === 'scores' ? scores(forward, hidden) : head(forward, hidden);
  });
  const ids = Int32Array.from(rows.flat());
  const positions = ids.map((_, i) => i % model.block_size);
  const weights = new Float32Array(ids.length);
  const batch = { ids, targets: ids, weights, positions, row_offset: 0 };
  writeBatch(stores.inputs, model, batch, { seed: 0, step: 0 });
  const result = await valuesOf(program);
  program.dispose();
  disposeStores(stores);
  return result;
}

async function valuesOf(program: Program<{ values: Parameters<typeof readback>[0][number] }>) {
  submit([program]);
  const [values] = await readback([program.outputs.values]);
  return Float32Array.from(values ?? []);
}
