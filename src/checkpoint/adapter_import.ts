/** Adapters that were made by PEFT, merged into the base that they lie beside. */
import * as v from 'valibot';
import { isAdapterTensor } from '../model/adapter_parameters.ts';
import { mergeAdapters } from '../model/merge.ts';
import { fromPeftTensors, type Tensors } from './adapter_tensors.ts';
import type { ReadState } from './checkpoint_state.ts';
import { CheckpointError, damaged } from './error.ts';
import { ADAPTER_CONFIG, type Files, isAdapterConfig } from './folder.ts';
import { parseRecord } from './json.ts';
import { readObjectiveTensors } from './objective_tensors.ts';
import { SCORE } from './score_head.ts';

export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';
/** PEFT's name of the scalar head that was trained beside the adapters. */
export const SAVED_SCORE = `base_model.model.${SCORE}`;

const number = v.pipe(v.number(), v.finite());
const AdapterSchema = v.looseObject({
  peft_type: v.literal('LORA'),
  r: v.optional(v.pipe(number, v.integer(), v.minValue(1)), 8),
  lora_alpha: v.optional(number, 8),
  bias: v.optional(v.string(), 'none'),
  use_rslora: v.optional(v.boolean(), false),
  use_dora: v.optional(v.boolean(), false),
  rank_pattern: v.nullish(v.record(v.string(), v.unknown())),
  alpha_pattern: v.nullish(v.record(v.string(), v.unknown())),
});

/**
 * A foreign model with the adapter that lies in or under its folder merged into the weights; the
 * state itself if there is none. Throws CheckpointError.
 */
export function withForeignAdapter(state: ReadState, files: Files): ReadState {
  const [path] = [...files.keys()]
    .filter(isAdapterConfig)
    .sort((a, b) => a.split('/').length - b.split('/').length);
  if (path === undefined) return state;
  const weights = files.get(path.slice(0, -ADAPTER_CONFIG.length) + ADAPTER_WEIGHTS);
  if (!weights) {
    throw new CheckpointError(
      'missing_file',
      `The adapter has no ${ADAPTER_WEIGHTS}.`,
      'Bring all files of the adapter, or leave out its folder to open the base alone.',
    );
  }
  const scale = adapterScale(files.get(path) ?? new Uint8Array());
  const { model } = state;
  const tensors = fromPeftTensors(model, readObjectiveTensors(weights, ADAPTER_WEIGHTS));
  const { others, objective_tensors } = splitOthers(tensors, state.objective_tensors);
  if (others !== undefined) throw unsupportedAdapter(`changes ${others}`);
  return {
    ...state,
    parameters: mergeAdapters(model, state.parameters, tensors, scale),
    objective_tensors,
    notes: [...state.notes, 'The adapter (LoRA) of this folder was merged into the weights.'],
  };
}

/** A score that was trained beside the adapters replaces the base's; anything else is not read. */
function splitOthers(tensors: Tensors, before: Tensors) {
  const names = [...tensors.keys()].filter((name) => !isAdapterTensor(name));
  const others = names.find((name) => name !== SAVED_SCORE);
  const score = tensors.get(SAVED_SCORE);
  const objective_tensors = new Map(before);
  if (score) objective_tensors.set(SCORE, { shape: [score.data.length, 1], data: score.data });
  return { others, objective_tensors };
}

/** The factor of the update, or an error for what is more than LoRA. */
function adapterScale(bytes: Uint8Array): number {
  const result = v.safeParse(AdapterSchema, parseRecord(bytes, ADAPTER_CONFIG));
  if (!result.success) {
    const [issue] = result.issues;
    throw damaged(
      'bad_header',
      ADAPTER_CONFIG,
      `${v.getDotPath(issue) ?? 'a field'} is ${issue.received}`,
    );
  }
  const { r, lora_alpha, bias, use_dora, use_rslora, rank_pattern, alpha_pattern } = result.output;
  if (use_dora) throw unsupportedAdapter('uses DoRA');
  if (bias !== 'none') throw unsupportedAdapter('trains biases');
  const patterns = [rank_pattern, alpha_pattern].map(
    (pattern) => Object.keys(pattern ?? {}).length,
  );
  if (patterns.some((count) => count > 0)) throw unsupportedAdapter('has several ranks or scales');
  return lora_alpha / (use_rslora ? Math.sqrt(r) : r);
}

const unsupportedAdapter = (what: string): CheckpointError =>
  new CheckpointError(
    'unsupported_model',
    `The adapter in this folder ${what}, which Terrarium cannot merge.`,
    'Merge it in PEFT (merge_and_unload), save the model, and bring that folder.',
  );
