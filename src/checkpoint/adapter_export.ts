/**
 * The folder `adapter/` of an export, which PEFT opens over the base beside it:
 *
 *     base = AutoModelForCausalLM.from_pretrained("run")
 *     model = PeftModel.from_pretrained(base, "run/adapter")
 */
import { parseStage, type PeftConfig } from '../config/stage/index.ts';
import { isAdapterTensor, loraLayers } from '../model/adapter_parameters.ts';
import type { ResolvedModel } from '../config/index.ts';
import { toPeftTensors } from './adapter_tensors.ts';
import type { CheckpointState, ObjectiveTensor } from './checkpoint_state.ts';
import { ADAPTER_WEIGHTS, SAVED_SCORE } from './adapter_import.ts';
import { ADAPTER_CONFIG } from './folder.ts';
import { encodeJson } from './json.ts';
import { writeObjectiveTensors } from './objective_tensors.ts';
import { isScored, SCORE } from './score_head.ts';

/** Files of `adapter/` by path; none if the run has no adapters. */
export function adapterFiles(state: CheckpointState): Map<string, Uint8Array> {
  const { model, stage } = state;
  const objective_tensors = state.objective_tensors ?? new Map<string, ObjectiveTensor>();
  const files = new Map<string, Uint8Array>();
  const peft = stage ? parseStage(stage).peft : null;
  if (peft?.peft_type !== 'lora') return files;
  const scored = isScored(state);
  const all = [...toPeftTensors(model, objective_tensors)];
  const tensors = new Map(all.filter(([name]) => isAdapterTensor(name)));
  const score = objective_tensors.get(SCORE);
  if (scored && score) {
    tensors.set(SAVED_SCORE, { shape: [1, score.data.length], data: score.data });
  }
  files.set(`adapter/${ADAPTER_CONFIG}`, encodeJson(adapterConfig(model, peft, scored)));
  files.set(`adapter/${ADAPTER_WEIGHTS}`, writeObjectiveTensors(tensors));
  return files;
}

/** adapter_config.json of PEFT 0.21. */
function adapterConfig(model: ResolvedModel, peft: PeftConfig, scored: boolean) {
  return {
    peft_type: 'LORA',
    task_type: scored ? 'SEQ_CLS' : 'CAUSAL_LM',
    base_model_name_or_path: '..',
    revision: null,
    inference_mode: true,
    r: peft.r,
    lora_alpha: peft.lora_alpha,
    lora_dropout: peft.lora_dropout,
    target_modules: targetModules(model, peft),
    modules_to_save: scored ? ['score'] : null,
    // Conv1D of GPT-2 stores its weights [in, out].
    fan_in_fan_out: model.layout === 'gpt2',
    bias: 'none',
    use_rslora: false,
    use_dora: false,
    init_lora_weights: true,
    rank_pattern: {},
    alpha_pattern: {},
  };
}

/** Ends of module names. GPT-2 has two modules c_proj in a block, so theirs keep their parent. */
function targetModules(model: ResolvedModel, peft: PeftConfig): string[] {
  const segments = model.layout === 'gpt2' ? 2 : 1;
  const names = loraLayers(model, peft).flatMap(({ a }) =>
    a.parts.map(({ name }) =>
      name
        .replace(/\.lora_A\.weight$/, '')
        .split('.')
        .slice(-segments)
        .join('.'),
    ),
  );
  return [...new Set(names)];
}
