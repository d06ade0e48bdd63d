/** One micro-batch at a time on one stage of a pipeline, from its forward to its backward pass. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  type Program,
  readback,
  type Store,
  submitWithBoundaries,
  writeTensor,
} from '../backend/index.ts';
import {
  type LossFunction,
  type ModelStage,
  type ModelStores,
  stageMicroStep,
} from '../model/index.ts';

export type Activation = Float32Array<ArrayBuffer>;

/** What a pass hands on. On the processor it is there when the pass is. */
export interface PassOutput {
  values: Promise<Activation | null>;
}

/**
 * A program that waits between forward and backward, with inputs of its own, because the backward
 * pass reads some of them again. Other micro-batches may run on the stage meanwhile, as runs of their
 * own.
 */
export class StageRun {
  readonly #program: Program;
  readonly #turn: Turn;
  #running: Promise<void> | null = null;

  private constructor(
    /** Written by the caller before `forward`. */
    readonly inputs: Store,
    program: Program,
    turn: Turn,
  ) {
    this.#program = program;
    this.#turn = turn;
  }

  /**
   * Takes over `inputs`; all else is shared with `stores`.
   *
   * @throws ShaderError or BindingTooLarge
   */
  static async create(
    stores: ModelStores,
    stage: ModelStage,
    loss: LossFunction,
    inputs: Store,
  ): Promise<StageRun> {
    const turn = new Turn();
    const program = await stageMicroStep({ ...stores, inputs }, stage, loss, {
      input: { name: 'stage input', run: (tensor) => turn.writeInput(tensor) },
      turn: { name: 'stage turn', run: (tensor) => turn.wait(tensor) },
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
   * Runs the forward pass over `input`, the output of the stage before [tokens, n_embd], null on the
   * first stage. Resolves when the pass is submitted; `values` to the stage's output, null on the
   * last stage.
   */
  async forward(input: Activation | null): Promise<PassOutput> {
    const reached = this.#turn.begin(input);
    this.#running = submitWithBoundaries([this.#program]);
    await Promise.race([reached, this.#running]);
    return { values: readActivation(this.#program.outputs.hidden) };
  }

  /**
   * Runs the backward pass from `gradient`, that of the stage's output [tokens, n_embd], null on the
   * last stage. Resolves when the pass is submitted; `values` to the gradient of the stage's input,
   * null on the first stage.
   */
  async backward(gradient: Activation | null): Promise<PassOutput> {
    this.#turn.end(gradient);
    await this.#running;
    return { values: readActivation(this.#program.outputs.gradient) };
  }

  dispose(): void {
    this.#program.dispose();
    this.inputs.dispose();
  }
}

/** Holds a program up between its forward and its backward pass. */
class Turn {
  #input: Activation | null = null;
  #reach: () => void = () => undefined;
  #leave: (gradient: Activation | null) => void = () => undefined;

  /** Resolves when the forward pass has been submitted. */
  begin(input: Activation | null): Promise<void> {
    this.#input = input;
    return new Promise((resolve) => {
      this.#reach = resolve;
    });
  }

  writeInput(tensor: Tensor): void {
    if (!this.#input) throw new Error('A stage that is not the first one needs an input.');
    writeTensor(tensor, this.#input);
    this.#input = null;
  }

  wait(tensor: Tensor): Promise<void> {
    this.#reach();
    return new Promise((resolve) => {
      this.#leave = (gradient) => {
        if (gradient) writeTensor(tensor, gradient);
        resolve();
      };
    });
  }

  end(gradient: Activation | null): void {
    this.#leave(gradient);
  }
}

/** The values of an output of a program, null if it has no such output. */
export async function readActivation(tensor: Tensor | undefined): Promise<Activation | null> {
  if (!tensor) return null;
  const [values] = await readback([tensor]);
  return Float32Array.from(values ?? []);
}
