/** Forward passes through all stages of a pipeline, for evaluations and for scores of answers. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Program, submitWithBoundaries, writeTensor } from '../backend/index.ts';
import type { Batch, Mesh, MeshPlace } from '../common/index.ts';
import type { ModelStores, ParameterSource, RandomState } from '../model/index.ts';
import { writeInputs } from '../model/index.ts';
import {
  hiddenName,
  type ModelStage,
  type StageEnd,
  stageForward,
} from '../model/stage_programs.ts';
import type { Group } from './collectives.ts';
import { stagesOf } from './pipeline_stages.ts';
import { prepareFor } from './prepare.ts';
import { type Activation, partOf, readActivations, readTensors } from './stage_run.ts';
import type { Payload } from './transport/link.ts';

export interface ForwardParts {
  mesh: Mesh;
  place: MeshPlace;
  /** `pp`: the ranks of the pipeline. */
  groups: { pp: Group };
  stores: ModelStores;
}

export interface ForwardOptions {
  /** Distinguishes the messages of these passes from those of others. */
  tag: string;
  weights: ParameterSource;
  /** See `Objective.models`. */
  models: readonly string[];
  /** What the last stage computes from its hidden states. */
  end: StageEnd;
}

/** A chunk of consecutive layers on this rank. */
interface ForwardChunk {
  stage: ModelStage;
  /** Index among all virtual stages of the pipeline. */
  virtualStage: number;
  program: Program;
  /** Read by the program while it runs; `run` sets its values before it submits the program. */
  input: StageInput;
}

interface StageInput {
  /** Null on the first stage. */
  values: Activation | null;
}

/** A program for each chunk of this rank. All ranks of the pipeline call `run` in the same order. */
export class PipelineForward {
  readonly #parts: ForwardParts;
  readonly #tag: string;
  readonly #chunks: readonly ForwardChunk[];

  private constructor(parts: ForwardParts, tag: string, chunks: readonly ForwardChunk[]) {
    this.#parts = parts;
    this.#tag = tag;
    this.#chunks = chunks;
  }

  /** @throws ShaderError or BindingTooLarge */
  static async create(parts: ForwardParts, options: ForwardOptions): Promise<PipelineForward> {
    const { mesh, place, stores } = parts;
    const stages = stagesOf(mesh, place, stores.model);
    const chunks = await Promise.all(
      stages.map((stage, chunk) =>
        createChunk(stores, options, { stage, virtualStage: chunk * mesh.pp + place.pp }),
      ),
    );
    return new PipelineForward(parts, options.tag, chunks);
  }

  get programs(): Program[] {
    return this.#chunks.map(({ program }) => program);
  }

  /** The values of `ForwardOptions.end` for these rows; null on all ranks but the last stage's. */
  async run(batch: Batch, random: RandomState): Promise<Activation | null> {
    const { stores } = this.#parts;
    writeInputs(stores.inputs, prepareFor(stores, batch), random);
    let result: Activation | null = null;
    for (const { stage, virtualStage, program, input } of this.#chunks) {
      input.values = stage.isFirst
        ? null
        : await this.#receive(`${this.#tag} of stage ${virtualStage}`);
      await submitWithBoundaries([program]);
      const hidden = await readActivations(program, hiddenName);
      if (hidden) this.#send(hidden, `${this.#tag} of stage ${virtualStage + 1}`);
      const { result: output } = program.outputs;
      if (output) result = await readTensors([output]);
    }
    return result;
  }

  /** As `run`, but returns the values on every rank of the pipeline. */
  async runForAll(batch: Batch, random: RandomState): Promise<Activation> {
    const { pp } = this.#parts.groups;
    const result = await this.run(batch, random);
    return asActivation(await pp.broadcast(result, pp.size - 1, `${this.#tag} for all`));
  }

  dispose(): void {
    for (const { program } of this.#chunks) program.dispose();
  }

  #send(values: Activation, tag: string): void {
    const { pp } = this.#parts.groups;
    pp.send(values, (pp.index + 1) % pp.size, tag);
  }

  async #receive(tag: string): Promise<Activation> {
    const { pp } = this.#parts.groups;
    return asActivation(await pp.receive((pp.index + pp.size - 1) % pp.size, tag));
  }
}

async function createChunk(
  stores: ModelStores,
  { tag, weights, models, end }: ForwardOptions,
  { stage, virtualStage }: Pick<ForwardChunk, 'stage' | 'virtualStage'>,
): Promise<ForwardChunk> {
  const input: StageInput = { values: null };
  const write = (tensor: Tensor, model: number): void => {
    if (input.values) writeTensor(tensor, partOf(input.values, model, tensor));
  };
  const collective = (model: number) => ({
    name: 'stage input',
    run: (tensor: Tensor) => write(tensor, model),
  });
  const program = await stageForward(stores, stage, {
    name: tag,
    weights,
    models,
    end,
    input: collective,
  });
  return { stage, virtualStage, program, input };
}

/** Narrows a message to activations. @throws TypeError if the sender did not send float32 */
export function asActivation(values: Payload): Activation {
  if (values instanceof Float32Array) return values;
  throw new TypeError('Activations and their gradients are float32.');
}
