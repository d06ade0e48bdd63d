/** Forward passes through all stages of a pipeline: evaluations, and the scores of sources. */
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

export interface ForwardHow {
  /** Tells its messages from those of other passes. */
  tag: string;
  weights: ParameterSource;
  /** See `Objective.models`. */
  models: readonly string[];
  /** What the last stage makes of its hidden states. */
  end: StageEnd;
}

/** A chunk of consecutive layers on this rank. */
interface ForwardChunk {
  stage: ModelStage;
  /** Index among all virtual stages of the pipeline. */
  virtual: number;
  program: Program;
  /** Read by the program's collectives; `run` sets its values before it submits the program. */
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
  static async create(parts: ForwardParts, how: ForwardHow): Promise<PipelineForward> {
    const { mesh, place, stores } = parts;
    const stages = stagesOf(mesh, place, stores.model);
    const chunks = await Promise.all(
      stages.map((stage, chunk) =>
        createChunk(stores, how, { stage, virtual: chunk * mesh.pp + place.pp }),
      ),
    );
    return new PipelineForward(parts, how.tag, chunks);
  }

  get programs(): Program[] {
    return this.#chunks.map(({ program }) => program);
  }

  /** What `ForwardHow.end` made of the last hidden states; null on the ranks without them. */
  async run(batch: Batch, random: RandomState): Promise<Activation | null> {
    const { stores } = this.#parts;
    writeInputs(stores.inputs, prepareFor(stores, batch), random);
    let result: Activation | null = null;
    for (const { stage, virtual, program, input } of this.#chunks) {
      input.values = stage.isFirst ? null : await this.#receive(`${this.#tag} of stage ${virtual}`);
      await submitWithBoundaries([program]);
      const hidden = await readActivations(program, hiddenName);
      if (hidden) this.#send(hidden, `${this.#tag} of stage ${virtual + 1}`);
      const { result: own } = program.outputs;
      if (own) result = await readTensors([own]);
    }
    return result;
  }

  /** What `run` gives on the last rank, on every rank of the pipeline. */
  async runForAll(batch: Batch, random: RandomState): Promise<Activation> {
    const { pp } = this.#parts.groups;
    const result = await this.run(batch, random);
    return activationOf(await pp.broadcast(result, pp.size - 1, `${this.#tag} for all`));
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
    return activationOf(await pp.receive((pp.index + pp.size - 1) % pp.size, tag));
  }
}

async function createChunk(
  stores: ModelStores,
  { tag, weights, models, end }: ForwardHow,
  { stage, virtual }: Pick<ForwardChunk, 'stage' | 'virtual'>,
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
    ...{ name: tag, weights, models, end },
    input: collective,
  });
  return { stage, virtual, program, input };
}

/** @throws TypeError if a message of activations is not float32, a fault of the sender */
export function activationOf(values: Payload): Activation {
  if (values instanceof Float32Array) return values;
  throw new TypeError('Activations and their gradients are float32.');
}
