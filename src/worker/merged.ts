/** A model whose adapters were merged into its weights: what a child starts from. */
import type { ReadState } from '../checkpoint/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { loraScale } from '../model/adapters.ts';
import { mergeAdapters } from '../model/merge.ts';

/** The state without adapters; itself if it has none. Throws ConfigError for an unknown stage. */
export function mergedState(state: ReadState): ReadState {
  if (!state.stage) return state;
  const { peft } = parseStage(state.stage);
  if (peft.peft_type !== 'lora') return state;
  const { model, objective_tensors } = state;
  const scale = loraScale(peft);
  const parameters = mergeAdapters(model, state.parameters, objective_tensors, scale);
  const others = [...objective_tensors].filter(([name]) => !name.includes('.lora_'));
  return { ...state, parameters, objective_tensors: new Map(others) };
}
