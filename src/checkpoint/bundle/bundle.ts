/**
 * The way out: a run as a bundle with which PyTorch goes on with it on GPUs, under FSDP2. The folder
 * `checkpoint/` is that of any export, `data/` has the tokens, and `bundle.json` says what train.py needs
 * to know beyond both. What train.py saves is such a folder again, which the page imports.
 */
import type { Moment } from '../../common/index.ts';
import type { TrainingConfig } from '../../config/index.ts';
import { loraParameters } from '../../model/adapter_parameters.ts';
import { listParameters, type Parameter, parameterSize } from '../../model/parameters.ts';
import type { CheckpointState } from '../checkpoint_state.ts';
import type { Files } from '../folder.ts';
import { encodeJson } from '../json.ts';
import { BUNDLE_FILE, BUNDLE_VERSION } from '../bundle_version.ts';
import { PROGRAM } from './program.ts';
import { bundleObjective } from './refusal.ts';
import { tokenFiles, tokenType, type LearnedData } from './token_files.ts';

export interface BundleSource extends LearnedData {
  state: CheckpointState;
  /** The files of the export, as for a zip that the page imports. */
  checkpoint: Files;
}

const PEFT = 'peft>=0.21';

/** The files of a bundle by path. Throws `no_equivalent` for a run that train.py cannot continue. */
export function bundleFiles(source: BundleSource): Map<string, Uint8Array> {
  const { state, checkpoint } = source;
  const files = new Map<string, Uint8Array>();
  const facts = bundleFacts(source);
  files.set(BUNDLE_FILE, encodeJson(facts));
  for (const [path, text] of Object.entries(programOf(source)))
    files.set(path, new TextEncoder().encode(text));
  for (const [path, bytes] of checkpoint) files.set(`checkpoint/${path}`, bytes);
  const { batch_size, eval_iters } = state.config.training;
  const held_out = eval_iters * batch_size;
  for (const [path, bytes] of tokenFiles(source, facts.data.dtype, held_out))
    files.set(`data/${path}`, bytes);
  return files;
}

const hasAdapters = ({ stage }: BundleSource): boolean => stage?.config.peft.peft_type === 'lora';

/** Only adapters need PEFT. */
function programOf(source: BundleSource): Readonly<Record<string, string>> {
  if (!hasAdapters(source)) return PROGRAM;
  return { ...PROGRAM, 'requirements.txt': `${PROGRAM['requirements.txt'] ?? ''}${PEFT}\n` };
}

/** The parameters that train. */
function trainedParameters({ state, stage }: BundleSource): Parameter[] {
  const { peft } = stage?.config ?? {};
  return peft?.peft_type === 'lora'
    ? loraParameters(state.model, peft)
    : listParameters(state.model);
}

/** bundle.json. Fields of training have the names of the RunConfig, those of stages TRL's. */
function bundleFacts(source: BundleSource) {
  const { state, stage } = source;
  const { model, config, loss_scale, lr_multiplier = 1 } = state;
  const objective = bundleObjective(state);
  const parameters = trainedParameters(source);
  const drops = !(objective === 'dpo' && stage?.config.dpo.disable_dropout);
  return {
    bundle_version: BUNDLE_VERSION,
    objective,
    training: config.training,
    lr_multiplier,
    skipped_updates: loss_scale?.skipped_updates ?? 0,
    dropout: drops ? config.model.dropout : 0,
    sliding_window: model.sliding_window,
    data: dataFacts(source),
    stage: stage ? { dpo: stage.config.dpo, peft: stage.config.peft } : null,
    moments: momentNames(config.training),
    n_params: sizeOf(listParameters(model)),
    n_trainable_params: sizeOf(parameters),
    parameters: parameters.map(({ name, shape, decay, parts }) => ({ name, shape, decay, parts })),
  };
}

function dataFacts({ state, stage }: BundleSource) {
  const dtype = tokenType(state.model.vocab_size);
  if (!stage) {
    const { block_size } = state.model;
    return { kind: 'text', dtype, row_length: block_size, pad_token_id: 0, packed: false };
  }
  const { config, data } = stage;
  return {
    kind: config.objective === 'dpo' ? 'pairs' : 'examples',
    dtype,
    row_length: data.row_length,
    pad_token_id: data.chat.pad_token_id,
    packed: config.objective === 'sft' && config.sft.packing,
  };
}

const sizeOf = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, one) => sum + parameterSize(one), 0);

/** The moments that the optimizer keeps of every parameter. Muon is refused before. */
function momentNames({ optimizer, momentum }: TrainingConfig): Moment[] {
  switch (optimizer) {
    case 'adamw':
    case 'adam':
      return ['exp_avg', 'exp_avg_sq'];
    case 'sgd':
    case 'muon':
      return momentum > 0 ? ['momentum_buffer'] : [];
    default:
      return optimizer satisfies never;
  }
}
