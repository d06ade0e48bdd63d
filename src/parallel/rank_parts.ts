/** What a rank consists of. */
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
  /** Adds up gradients without ZeRO and under ZeRO-1. Default: this thread. */
  reducer?: BucketReducer;
  /** Default: `BUCKET_BYTES`. */
  bucket_bytes?: number;
}

/** The groups that a rank is in. */
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
  /** Which part of every layer is here; null without tensor parallelism. */
  part: TensorPart | null;
  objective: Objective;
  /** Of the whole run: its source makes the batches of all ranks. */
  setting: ObjectiveSetting;
  /** The parameters here, in the order of their stores. */
  locals: readonly LocalParameter[];
  trains: (parameter: Parameter) => boolean;
  /** Those of the whole model and objective. */
  wholes: readonly Parameter[];
  stores: ModelStores;
  /**
   * The starting weights, which do not change, if the objective asks for them: `referenceCopy`, or with
   * LoRA the rank's own weights without their adapters.
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
  /** What the update writes: weights and gradients, or the parts of them that this rank owns. */
  owned: { weights: TensorStore; gradients: TensorStore };
  /** `squares` [1]: sum of squares of all gradients of all ranks, written before the update. */
  squares: Store;
  /** How gradients of the ranks with other rows are added up. */
  reduction: Reduction;
  microBatches: MicroBatches;
  update: Program<{ results: Tensor }>;
}

/** What a rank is before anything is allocated. */
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
