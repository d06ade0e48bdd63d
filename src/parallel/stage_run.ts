/** One micro-batch on one stage of a pipeline: its forward pass, a wait, and its backward pass. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  type Program,
  readback,
  type Store,
  submitWithBoundaries,
  writeTensor,
} from '../backend/index.ts';
import type { ModelStores } from '../model/index.ts';
import {
  gradientName,
  hiddenName,
  type ModelStage,
  stageMicroStep,
  type StageTraining,
} from '../model/stage_programs.ts';
import { concatenate } from './concatenate.ts';

/** Values [models, tokens, n_embd] that one stage hands to another. */
export type Activation = Float32Array<ArrayBuffer>;

/** The output of a pass that has been submitted. */
export interface PassOutput {
  /** Resolves when the output has been read back, which on WebGPU later passes do not wait for. */
  values: Promise<Activation | null>;
}

/**
 * A program that is suspended between the forward and the backward pass of a micro-batch. Meanwhile
 * other micro-batches may use the stage, each in a run of its own. A run has its own inputs, because
 * the backward pass reads some of them again.
 */
export class StageRun {
  readonly #program: Program;
  readonly #turn: StageTurn;
  #running: Promise<void> | null = null;

  private constructor(
    /** Written by the caller before `forward`. */
    readonly inputs: Store,
    program: Program,
    turn: StageTurn,
  ) {
    this.#program = program;
    this.#turn = turn;
  }

  /**
   * Takes ownership of `inputs`; everything else is shared with `stores`.
   *
   * @throws ShaderError or BindingTooLarge
   */
  static async create(
    stores: ModelStores,
    stage: ModelStage,
    training: Pick<StageTraining, 'loss' | 'models'>,
    inputs: Store,
  ): Promise<StageRun> {
    const turn = new StageTurn();
    const collectives: StageTraining['collectives'] = {
      input: (model) => ({
        name: 'stage input',
        run: (tensor) => turn.writeInput(tensor, model),
      }),
      turn: (model) => ({ name: 'stage turn', run: (tensor) => turn.wait(tensor, model) }),
    };
    const program = await stageMicroStep({ ...stores, inputs }, stage, {
      ...training,
      collectives,
    });
    return new StageRun(inputs, program, turn);
  }

  get ownBytes(): number {
    return this.#program.ownBytes;
  }
  get scratchBytes(): number {
    return this.#program.scratchBytes;
  }

  /**
   * Runs the forward pass over `input`, the output of the previous stage [models, tokens, n_embd], or
   * null on the first stage. Resolves when the pass is submitted; `values` resolves to the output of
   * this stage, or null on the last stage.
   */
  async forward(input: Activation | null): Promise<PassOutput> {
    const submitted = this.#turn.begin(input);
    this.#running = submitWithBoundaries([this.#program]);
    await Promise.race([submitted, this.#running]);
    return { values: readActivations(this.#program, hiddenName) };
  }

  /**
   * Runs the backward pass from the gradient of this stage's output [models, tokens, n_embd], or null on
   * the last stage. Resolves when the pass is submitted; `values` resolves to the gradient of this
   * stage's input, or null on the first stage.
   */
  async backward(gradient: Activation | null): Promise<PassOutput> {
    this.#turn.end(gradient);
    await this.#running;
    return { values: readActivations(this.#program, gradientName) };
  }

  dispose(): void {
    this.#program.dispose();
    this.inputs.dispose();
  }
}

/** Suspends a program between its passes, through the collectives of `StageTraining`. */
class StageTurn {
  #input: Activation | null = null;
  #gradient: Activation | null = null;
  /** Resolves the promise of `begin`. */
  #forwardSubmitted: () => void = () => undefined;
  /** Lets the suspended program continue with its backward pass. */
  #startBackward: () => void = () => undefined;

  /** Resolves when the forward pass over `input` has been submitted. */
  begin(input: Activation | null): Promise<void> {
    this.#input = input;
    return new Promise((resolve) => {
      this.#forwardSubmitted = resolve;
    });
  }

  writeInput(tensor: Tensor, model: number): void {
    if (!this.#input) throw new Error('A stage that is not the first one needs an input.');
    writeTensor(tensor, partOf(this.#input, model, tensor));
  }

  /**
   * Runs between the passes, once for each model that the stage computes. The first call suspends the
   * program until `end` is called; each then writes the gradient of its model's output.
   */
  async wait(tensor: Tensor, model: number): Promise<void> {
    this.#input = null;
    if (model === 0) {
      const backward = new Promise<void>((resolve) => {
        this.#startBackward = resolve;
      });
      this.#forwardSubmitted();
      await backward;
    }
    if (this.#gradient) writeTensor(tensor, partOf(this.#gradient, model, tensor));
  }

  /** Starts the backward pass from `gradient`, null on the last stage. */
  end(gradient: Activation | null): void {
    this.#gradient = gradient;
    this.#startBackward();
  }
}

/** A view of the values of one model [tokens, n_embd], which are as many as those of `tensor`. */
export function partOf(values: Activation, model: number, { size }: Tensor): Activation {
  return values.subarray(model * size, (model + 1) * size);
}

/** The values of the program's outputs that have these names; null if there are none. */
export async function readActivations(
  { outputs }: Program,
  nameOf: (model: number) => string,
): Promise<Activation | null> {
  const tensors: Tensor[] = [];
  for (let model = 0; ; model++) {
    const tensor = outputs[nameOf(model)];
    if (!tensor) break;
    tensors.push(tensor);
  }
  return tensors.length > 0 ? readTensors(tensors) : null;
}

/** The values of float32 tensors, one after the other. */
export async function readTensors(tensors: readonly Tensor[]): Promise<Activation> {
  return concatenate(await readback([...tensors]));
}
