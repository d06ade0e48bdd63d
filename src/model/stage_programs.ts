/**
 * The programs of one stage of a pipeline: consecutive blocks, on the first stage also the embedding,
 * on the last one also the loss. They need kernels of ours (WebGPU or the engine on the processor).
 */
import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { boundary, type Collective, output, type Outputs, type Program } from '../backend/index.ts';
import { type Forward, modelOf } from './forward.ts';
import { noGradients } from './gradients.ts';
import { embedTokens, runBlocks } from './hidden_states.ts';
import {
  addToSums,
  compileFor,
  forwardOf,
  type LossContext,
  type LossFunction,
  scaledByLoss,
} from './programs.ts';
import type { ModelStores } from './stores.ts';
import { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

/** Blocks [start, end) of the model. */
export interface ModelStage {
  start: number;
  end: number;
  /** Whether it has the embedding. */
  isFirst: boolean;
  /** Whether it has the final norm, the head and the loss. */
  isLast: boolean;
}

/** Where the programs of a stage exchange values with its neighbours, one tensor a model. */
export interface StageCollectives {
  /** Writes the stage's input [tokens, n_embd]. The first stage has none. */
  input: (model: number) => Collective;
  /**
   * Runs between forward and backward, for as long as the micro-batch waits for its backward pass.
   * Writes the gradient of the stage's output [tokens, n_embd]; on the last stage the tensor is the
   * loss, which stays as it is.
   */
  turn: (model: number) => Collective;
}

/** What a stage trains. */
export interface StageTraining {
  loss: LossFunction;
  /** Prefixes of the models whose layers it has; see `Objective.models`. */
  models: readonly string[];
  collectives: StageCollectives;
}

/** Output of a program that goes to the next stage, by the index of its model. */
export const hiddenName = (model: number): string => `hidden ${model}`;
/** Output of a program that goes to the stage before, by the index of its model. */
export const gradientName = (model: number): string => `gradient ${model}`;

/**
 * One micro-batch on one stage, as `trainingMicroStep` is on a whole model. Outputs [tokens, n_embd]:
 *
 * - `hiddenName`, except on the last stage: outputs of the stage's layers, valid from the turn on;
 * - `gradientName`, except on the first stage: gradients of their inputs, valid at the end.
 *
 * While a program waits at its turn, it alone holds what its backward pass needs: each micro-batch in
 * flight needs a program of its own.
 */
export function stageMicroStep(
  stores: ModelStores,
  stage: ModelStage,
  { loss, models, collectives }: StageTraining,
): Promise<Program> {
  return compileFor(stores, 'stage micro-step', () => {
    stores.gradients.refresh();
    const tape = new Tape(stores.gradients, true);
    const { recompute_granularity } = stores;
    const forward = forwardOf(stores, tape, { training: true, recompute_granularity });
    const inputs = stageInputs(forward, stage, { models, input: collectives.input });
    if (!stage.isFirst) for (const x of inputs) tape.watch(x);
    const hidden = runStage(forward, stage, { models, inputs });
    const watched = stage.isFirst ? [] : inputs;
    if (!stage.isLast) {
      const ends = hidden.map((from, model) => {
        return { from, seed: boundary(activationOf(stores), collectives.turn(model)) };
      });
      return {
        ...named(hiddenName, hidden),
        ...named(gradientName, tape.gradientsOf(watched, ends)),
      };
    }
    const traced = loss(contextOf(stores, forward, { models, hidden }));
    addToSums(stores.sums, traced);
    for (const tensor of traced.statistics ?? []) tape.release(tensor);
    boundary(traced.loss, collectives.turn(0));
    const seed = clone(scaledByLoss(stores, traced.weights));
    const gradients = tape.gradientsOf(watched, [{ from: traced.loss, seed }]);
    tape.release(traced.loss);
    return named(gradientName, gradients);
  });
}

/** What the last stage makes of its hidden states, which it releases. */
export type StageEnd = (context: LossContext) => Tensor;

export interface StageForward {
  name: string;
  weights: ParameterSource;
  /** Prefixes of the models that it runs; `end` is of a pass of the first one. */
  models: readonly string[];
  /** Writes the stage's input [tokens, n_embd]. The first stage has none. */
  input: (model: number) => Collective;
  end: StageEnd;
}

/** Forward only, dropout off. Outputs: those of `hiddenName`, or on the last stage `result`. */
export function stageForward(
  stores: ModelStores,
  stage: ModelStage,
  { name, weights, models, input, end }: StageForward,
): Promise<Program> {
  return compileFor(stores, `stage ${name}`, (): Outputs => {
    const tape = new Tape(noGradients, false);
    const forward = forwardOf(stores, tape, { training: false, weights });
    const inputs = stageInputs(forward, stage, { models, input });
    const hidden = runStage(forward, stage, { models, inputs });
    if (!stage.isLast) return named(hiddenName, hidden);
    return { result: end(contextOf(stores, forward, { models, hidden })) };
  });
}

/** The end of an evaluation: the sums of a loss. */
export const sumsOf =
  (loss: LossFunction): StageEnd =>
  (context) =>
    loss(context).sums(undefined);

/** The input of the layers of each model [tokens, n_embd]. */
function stageInputs(
  forward: Forward,
  { isFirst }: ModelStage,
  { models, input }: Pick<StageForward, 'models' | 'input'>,
): Tensor[] {
  return models.map((prefix, model) =>
    isFirst ? embedTokens(modelOf(forward, prefix)) : boundary(activationOf(forward), input(model)),
  );
}

/** The output of the layers of each model [tokens, n_embd]. Releases the inputs. */
function runStage(
  forward: Forward,
  stage: ModelStage,
  { models, inputs }: { models: readonly string[]; inputs: readonly Tensor[] },
): Tensor[] {
  return inputs.map((x, model) => runBlocks(modelOf(forward, models[model] ?? ''), x, stage));
}

/** A tensor that a collective will write [tokens, n_embd]. */
function activationOf({
  model,
  batch_size,
  block_size,
}: Pick<Forward, 'model' | 'batch_size' | 'block_size'>): Tensor {
  return output([batch_size * block_size, model.n_embd]);
}

/** The context of a loss or of a program's end, which is of a pass of the first model. */
function contextOf(
  { logits_chunk }: ModelStores,
  forward: Forward,
  { models, hidden }: { models: readonly string[]; hidden: readonly Tensor[] },
): LossContext {
  const [prefix = ''] = models;
  const [first] = hidden;
  if (!first) throw new Error('A stage runs at least one model.');
  const computed = new Map(hidden.map((tensor, model) => [models[model] ?? '', tensor]));
  const pass = modelOf({ ...forward, hidden: computed }, prefix);
  return { forward: pass, hidden: first, logits_chunk };
}

/** Outputs by the names of their models; undefined tensors are left out. */
function named(nameOf: (model: number) => string, tensors: readonly (Tensor | undefined)[]) {
  const outputs: Record<string, Tensor> = {};
  tensors.forEach((tensor, model) => {
    if (tensor) outputs[nameOf(model)] = tensor;
  });
  return outputs;
}
