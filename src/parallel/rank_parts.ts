/** The parts of a rank, which `rank_build.ts` creates and `rank_trainer.ts` uses. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Program, Store, TensorStore } from '../backend/index.ts';
import type { Mesh, MeshPlace } from '../common/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import type { ModelStores, ModelWeights, Parameter, ParameterSource } from '../model/index.ts';
import type { Objective, ObjectiveSetting } from '../objectives/index.ts';
import type { Optimizer } from '../optim/index.ts';
import type { TrainerOptions } from '../train/index.ts';
import type { BucketReducer } from './bucket_reducer.ts';
import type { Group } from './collectives.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { MicroBatches } from './micro_batches.ts';
import type { Reduction } from './reduction.ts';
import type { Shards } from './shards.ts';
import type { TensorPart } from './tensor_model.ts';
import type { Recorder } from './traffic.ts';
import type { Link } from './transport/link.ts';

export interface RankOptions extends TrainerOptions {
  mesh: Mesh;
  link: Link;
  /** Reduces gradients without ZeRO and under ZeRO-1. Default: on this thread. */
  reducer?: BucketReducer;
  /** Default: `BUCKET_BYTES`. */
  bucket_bytes?: number;
}

/** The groups that a rank is in: one for all ranks, and one for each axis of the mesh. */
export interface RankGroups {
  world: Group;
  dp: Group;
  tp: Group;
  pp: Group;
}

export interface RankParts {
  mesh: Mesh;
  place: MeshPlace;
  groups: RankGroups;
  recorder: Recorder;
  /** The whole model. */
  model: ResolvedModel;
  /** Which part of every layer this rank holds; null without tensor parallelism. */
  part: TensorPart | null;
  objective: Objective;
  /** Of the whole run, because the source makes the batches of all ranks. */
  setting: ObjectiveSetting;
  /** The parameters on this rank, in the order of their stores. */
  locals: readonly LocalParameter[];
  trains: (parameter: Parameter) => boolean;
  /** The parameters of the whole model and objective. */
  wholes: readonly Parameter[];
  stores: ModelStores;
  /**
   * The frozen starting weights, if the objective needs them: `referenceCopy`, or with LoRA this rank's
   * own weights without their adapters.
   */
  reference: ParameterSource | null;
  referenceCopy: ModelWeights | null;
  /** Who owns which values of `referenceCopy`; empty if it is whole. */
  reference_shards: Shards;
  optimizer: Optimizer;
  /** Kinds of moments that the optimizer keeps. */
  moments: readonly string[];
  /** Who owns which values of the trainable parameters. */
  shards: Shards;
  /** Who owns which values of the weights, frozen ones too; empty if they are whole. */
  weight_shards: Shards;
  /** The weights and gradients that the update reads and writes: all, or those that this rank owns. */
  owned: { weights: TensorStore; gradients: TensorStore };
  /** `squares` [1]: sum of squares of all gradients of all ranks, written before the update. */
  squares: Store;
  /** Sums gradients over the ranks that compute other rows. */
  reduction: Reduction;
  microBatches: MicroBatches;
  update: Program<{ results: Tensor }>;
}

/** What is known of a rank before anything is allocated. */
export type RankOutline = Pick<
  RankParts,
  | 'mesh'
  | 'place'
  | 'groups'
  | 'recorder'
  | 'model'
  | 'part'
  | 'objective'
  | 'setting'
  | 'locals'
  | 'trains'
  | 'wholes'
>;
