/**
 * Micro-batches on a stage of a pipeline (Huang et al. 2019, GPipe; Narayanan et al. 2019, PipeDream;
 * Narayanan et al. 2021, Megatron-LM). The rank holds some of the layers. In the order that the schedule
 * gives, it receives activations from the rank before and gradients from the rank after, and sends on
 * what it has computed from them.
 */
import { onProcessor, Store, writeTensor } from '../backend/index.ts';
import type { Batch, Mesh, MeshPlace } from '../common/index.ts';
import {
  type LossFunction,
  type ModelStores,
  type PreparedInputs,
  type RandomState,
  writeInputs,
} from '../model/index.ts';
import { type ModelStage, sumsOf } from '../model/stage_programs.ts';
import {
  mostInFlight,
  type PipelineAction,
  pipelineActions,
} from '../plan/parallel/pipeline_schedule.ts';
import type { Objective, ObjectiveSetting } from '../objectives/index.ts';
import { Group } from './collectives.ts';
import type { MicroBatches } from './micro_batches.ts';
import { PendingOutputs } from './pending_outputs.ts';
import { chunkCount, stagesOf, tiedEmbedding } from './pipeline_stages.ts';
import { prepareFor } from './prepare.ts';
import { asActivation, PipelineForward } from './stage_forward.ts';
import { type Activation, type PassOutput, readTensors, StageRun } from './stage_run.ts';
import type { Recorder } from './traffic.ts';
import { now } from './transport/link.ts';

export interface PipelineParts {
  mesh: Mesh;
  place: MeshPlace;
  /** `pp`: the ranks of the pipeline. */
  groups: { pp: Group };
  recorder: Recorder;
  /** A step has as many micro-batches as `gradient_accumulation_steps`. */
  setting: Pick<ObjectiveSetting, 'config'>;
  stores: ModelStores;
  loss: LossFunction;
  objective: Pick<Objective, 'models'>;
}

/** A chunk of consecutive layers on this rank. */
interface Chunk {
  stage: ModelStage;
  /** Index among all virtual stages of the pipeline. */
  virtualStage: number;
  /** One for each micro-batch in flight at a time; micro-batch m uses run m modulo their number. */
  runs: readonly StageRun[];
}

/** Towards the last (1) or towards the first (-1) virtual stage. */
type Direction = 1 | -1;

/** A pass that was submitted, and where its output goes. */
interface SubmittedPass {
  action: PipelineAction;
  /** When it was submitted, in milliseconds of `now()`. */
  start: number;
  direction: Direction;
  /** The tag of the message with the output. */
  tag: string;
}

export class PipelineMicroBatches implements MicroBatches {
  readonly #parts: PipelineParts;
  readonly #chunks: readonly Chunk[];
  readonly #evaluation: PipelineForward;
  readonly #actions: readonly PipelineAction[];
  /** The embedding that first and last stage share, and both; null on other ranks or if untied. */
  readonly #tied: { group: Group; name: string } | null;
  readonly #outputs = new PendingOutputs();
  /** When the latest pass ended, in milliseconds of `now()`. */
  #latestEnd = 0;

  private constructor(
    parts: PipelineParts,
    chunks: readonly Chunk[],
    programs: { evaluation: PipelineForward; actions: readonly PipelineAction[] },
  ) {
    this.#parts = parts;
    this.#chunks = chunks;
    this.#evaluation = programs.evaluation;
    this.#actions = programs.actions;
    this.#tied = tiedGroup(parts);
  }

  /** @throws ShaderError, BindingTooLarge, or RangeError for an impossible schedule */
  static async create(parts: PipelineParts): Promise<PipelineMicroBatches> {
    const { mesh, place, stores } = parts;
    const actions = actionsOf(parts);
    const stages = stagesOf(mesh, place, stores.model);
    const chunks = await Promise.all(
      stages.map((stage, chunk) => {
        const virtualStage = chunk * mesh.pp + place.pp;
        return createChunk(parts, { stage, virtualStage, inFlight: mostInFlight(actions, chunk) });
      }),
    );
    const { models } = parts.objective;
    const evaluation = await PipelineForward.create(parts, {
      tag: 'evaluation',
      weights: stores.weights,
      models,
      end: sumsOf(parts.loss),
    });
    return new PipelineMicroBatches(parts, chunks, { evaluation, actions });
  }

  get ownBytes(): number {
    return this.#programs.reduce((sum, { ownBytes }) => sum + ownBytes, 0);
  }
  get scratchBytes(): number {
    return Math.max(...this.#programs.map(({ scratchBytes }) => scratchBytes));
  }

  async train(batches: readonly Batch[], random: RandomState): Promise<void> {
    const { setting, stores } = this.#parts;
    const count = setting.config.training.gradient_accumulation_steps;
    if (batches.length !== count)
      throw new Error(`A pipeline of ${count} micro-batches cannot run ${batches.length}.`);
    const prepared = batches.map((batch) => prepareFor(stores, batch));
    for (const action of this.#actions) {
      const inputs = prepared[action.micro_batch];
      if (action.kind === 'backward') await this.#backward(action);
      else if (inputs) await this.#forward(action, inputs, random);
    }
    await this.#outputs.finish();
    await this.#addTiedGradients();
  }

  async evaluate(batch: Batch, random: RandomState): Promise<Float32Array> {
    const sums = await this.#evaluation.run(batch, random);
    return sums ?? new Float32Array(this.#parts.stores.sums.get('sums').size);
  }

  dispose(): void {
    for (const { runs } of this.#chunks) {
      for (const run of runs) run.dispose();
    }
    this.#evaluation.dispose();
  }

  async #forward(
    action: PipelineAction,
    inputs: PreparedInputs,
    random: RandomState,
  ): Promise<void> {
    const { micro_batch } = action;
    const { stage, virtualStage, run } = this.#runOf(action);
    const tag = `forward ${micro_batch} of stage`;
    const input = stage.isFirst ? null : await this.#receive(-1, `${tag} ${virtualStage}`);
    const start = now();
    writeInputs(run.inputs, inputs, random);
    const output = await run.forward(input);
    await this.#recordAndSend(output, {
      action,
      start,
      direction: 1,
      tag: `${tag} ${virtualStage + 1}`,
    });
  }

  async #backward(action: PipelineAction): Promise<void> {
    const { micro_batch } = action;
    const { stage, virtualStage, run } = this.#runOf(action);
    const tag = `backward ${micro_batch} of stage`;
    const gradient = stage.isLast ? null : await this.#receive(1, `${tag} ${virtualStage}`);
    const { setting, stores } = this.#parts;
    const last = setting.config.training.gradient_accumulation_steps - 1;
    stores.gradients.require_backward_grad_sync = micro_batch === last;
    const start = now();
    const output = await run.backward(gradient);
    await this.#recordAndSend(output, {
      action,
      start,
      direction: -1,
      tag: `${tag} ${virtualStage - 1}`,
    });
  }

  /**
   * Records a pass and sends its output. On the processor the pass is done when it is submitted, so this
   * waits for the output; on WebGPU the next pass is submitted while the output is read back.
   */
  async #recordAndSend(
    { values }: PassOutput,
    { action, start, direction, tag }: SubmittedPass,
  ): Promise<void> {
    const sent = values.then((output) => {
      this.#span(action, start);
      if (output) this.#send(output, direction, tag);
    });
    if (onProcessor()) return sent;
    this.#outputs.add(sent);
  }

  /** All-reduces the gradient of a tied embedding, of which first and last stage have a part each. */
  async #addTiedGradients(): Promise<void> {
    if (!this.#tied) return;
    const { group, name } = this.#tied;
    const { store } = this.#parts.stores.gradients;
    const gradient = await readTensors([store.get(name)]);
    writeTensor(store.get(name), await group.allReduce(gradient, `tied ${name}`));
  }

  #runOf({ chunk, micro_batch }: PipelineAction): Chunk & { run: StageRun } {
    const ownChunk = this.#chunks[chunk];
    const run = ownChunk?.runs[micro_batch % ownChunk.runs.length];
    if (!ownChunk || !run) throw new RangeError(`This rank has no chunk ${chunk}.`);
    return { ...ownChunk, run };
  }

  /** Records a pass. One that was submitted during another pass starts when that one ends. */
  #span({ kind, micro_batch, chunk }: PipelineAction, submitted: number): void {
    const what = `micro-batch ${micro_batch}`;
    const start = Math.max(submitted, this.#latestEnd);
    this.#latestEnd = now();
    this.#parts.recorder.span({ kind, what, micro_batch, chunk, start, end: this.#latestEnd });
  }

  /** Index of the rank that holds the neighbouring virtual stage. */
  #neighbour(direction: Direction): number {
    const { index, size } = this.#parts.groups.pp;
    return (index + direction + size) % size;
  }

  #send(values: Activation, direction: Direction, tag: string): void {
    this.#parts.groups.pp.send(values, this.#neighbour(direction), tag);
  }

  async #receive(direction: Direction, tag: string): Promise<Activation> {
    const message = this.#parts.groups.pp.receive(this.#neighbour(direction), tag);
    return asActivation(await this.#outputs.receive(message));
  }

  get #programs(): { ownBytes: number; scratchBytes: number }[] {
    return [...this.#chunks.flatMap(({ runs }) => runs), ...this.#evaluation.programs];
  }
}

/** What this rank does in a step, in order. */
function actionsOf({ mesh, place, setting }: PipelineParts): PipelineAction[] {
  const { gradient_accumulation_steps: micro_batches } = setting.config.training;
  const { schedule, pp } = mesh;
  const virtual_chunks = chunkCount(mesh);
  return pipelineActions({ schedule, stages: pp, micro_batches, virtual_chunks })[place.pp] ?? [];
}

interface ChunkPlan {
  stage: ModelStage;
  virtualStage: number;
  /** Micro-batches in flight at a time. */
  inFlight: number;
}

async function createChunk(
  { stores, loss, objective: { models } }: PipelineParts,
  { stage, virtualStage, inFlight }: ChunkPlan,
): Promise<Chunk> {
  const runs = await Promise.all(
    Array.from({ length: inFlight }, () => {
      const inputs = new Store('inputs', stores.inputs.specs);
      return StageRun.create(stores, stage, { loss, models }, inputs);
    }),
  );
  return { stage, virtualStage, runs };
}

function tiedGroup({ groups, stores }: PipelineParts): { group: Group; name: string } | null {
  const { pp: group } = groups;
  const name = tiedEmbedding(stores.model);
  const ends = [group.ranks.at(0), group.ranks.at(-1)].filter((rank) => rank !== undefined);
  if (!name || !ends.includes(group.link.rank)) return null;
  if (!stores.gradients.store.names.includes(name)) return null;
  return { group: new Group(ends, group.link, group.recorder), name };
}
