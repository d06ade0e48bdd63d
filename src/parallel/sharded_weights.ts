/**
 * Weights under ZeRO-3 (Rajbhandari et al. 2020). A rank keeps only the values that it owns. A parameter
 * is all-gathered for each use, once in the forward and once in the backward pass, and freed after it.
 * Frozen parameters (the base of adapters, a reference, a reward model) are sharded too, as in FSDP.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { boundary, output, type Store, type Values, writeTensor } from '../backend/index.ts';
import type { Adapters, ModelWeights, Parameter, ParameterSource, Tape } from '../model/index.ts';
import type { Group } from './collectives.ts';
import { concatenate } from './concatenate.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { Shards } from './shards.ts';
import { type ParameterNames, shardStore } from './zero.ts';

export interface WeightSharding {
  /** The ranks of data parallelism. */
  group: Group;
  /** The parameters of this rank's layers, in the order of their stores. */
  parameters: readonly LocalParameter[];
  trains: (whole: Parameter) => boolean;
  /** Who owns which values of each of them. */
  shards: Shards;
  /** Distinguishes the messages of these weights from those of others, such as a reference. */
  tag: string;
}

export class ShardedWeights implements ModelWeights, ParameterNames {
  readonly parameters: readonly Parameter[];
  readonly trainable: Store;
  readonly frozen: Store | null;
  readonly #sharding: WeightSharding;
  readonly #locals: ReadonlyMap<string, LocalParameter>;
  readonly #trainableNames: ReadonlySet<string>;
  /** Copies of the values that this rank owns, which are sent to the others. */
  readonly #own = new Map<string, Float32Array<ArrayBuffer>>();
  /** Trainable parameters that the program being traced has gathered, by the ids of their tensors. */
  readonly #names = new Map<number, string>();

  constructor(
    sharding: WeightSharding,
    readonly adapters: Adapters | null = null,
  ) {
    const { parameters: locals, trains, tag } = sharding;
    this.#sharding = sharding;
    this.parameters = locals.map(({ parameter }) => parameter);
    this.#locals = new Map(locals.map((local) => [local.parameter.name, local]));
    const trainable = locals.filter(({ whole }) => trains(whole));
    const frozen = locals.filter(({ whole }) => !trains(whole));
    this.#trainableNames = new Set(trainable.map(({ parameter }) => parameter.name));
    this.trainable = shardStore(tag, { ...sharding, parameters: trainable });
    this.frozen =
      frozen.length > 0 ? shardStore(`frozen ${tag}`, { ...sharding, parameters: frozen }) : null;
  }

  /** Gathers a parameter, for programs that have no tape. */
  get(name: string): Tensor {
    return this.#traceGather(name);
  }

  onTape(tape: Tape): ParameterSource {
    return {
      adapters: this.adapters,
      onTape: (other) => this.onTape(other),
      get: (name) => {
        const tensor = this.#traceGather(name);
        tape.adopt(tensor, () => this.#traceGather(name));
        return tensor;
      },
    };
  }

  refresh(): void {
    this.#names.clear();
  }
  /** Undefined for a frozen parameter, which has no gradient. */
  nameOf(tensor: Tensor): string | undefined {
    return this.#names.get(tensor.id);
  }

  /** Keeps this rank's part of `values`, which are those of the whole parameter. */
  write(name: string, values: Values): void {
    const { shards, group } = this.#sharding;
    const range = shards.get(name)?.[group.index];
    if (!range) throw new Error(`The sharded weights have no ${name}.`);
    const own = Float32Array.from(values.subarray(range.start, range.end));
    this.#own.set(name, own);
    if (own.length > 0) this.#storeOf(name)?.write(name, own);
  }

  async read(): Promise<Map<string, Values>> {
    const [trainable, frozen] = await Promise.all([
      this.trainable.read(),
      this.frozen?.read() ?? new Map<string, Values>(),
    ]);
    return new Map([...trainable, ...frozen]);
  }

  /** Must be called after each update, so that other ranks gather the new values. */
  async updated(): Promise<void> {
    for (const [name, values] of await this.trainable.read()) {
      this.#own.set(name, Float32Array.from(values));
    }
  }

  dispose(): void {
    this.trainable.dispose();
    this.frozen?.dispose();
  }

  #storeOf(name: string): Store | null {
    return this.#trainableNames.has(name) ? this.trainable : this.frozen;
  }

  #traceGather(name: string): Tensor {
    const parameter = this.#locals.get(name)?.parameter;
    if (!parameter) throw new Error(`The sharded weights have no ${name}.`);
    const tensor = output(parameter.shape);
    if (this.#trainableNames.has(name)) this.#names.set(tensor.id, name);
    return boundary(tensor, {
      name: 'all_gather',
      run: (target) => this.#gather(name, target),
    });
  }

  async #gather(name: string, target: Tensor): Promise<void> {
    const { group, tag } = this.#sharding;
    const own = this.#own.get(name) ?? new Float32Array();
    const parts = await group.allGather(own.slice(), `${tag} ${name}`);
    writeTensor(target, concatenate(parts));
  }
}
