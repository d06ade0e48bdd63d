/**
 * The weights of a run: parameters that train in one store, frozen ones in another. Only the first
 * has gradients, moments and a place in the optimizer's flat kernels, so a frozen parameter costs
 * four bytes a value, or two in float16, and no update can touch it.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Spec, Store, type Values } from '../backend/index.ts';
import type { MlpAttrs } from '../ops/index.ts';
import type { Parameter } from './parameters.ts';
import type { Tape } from './tape.ts';

/** What a forward pass reads its parameters from: a Store is one, Weights are another. */
export interface ParameterSource {
  get(name: string): Tensor;
  /** Updates of linear layers that belong to these weights; none is the model as it is. */
  readonly adapters?: Adapters | null;
  /** The same parameters for a pass that this tape records, where they are made for each use. */
  onTape?(tape: Tape): ParameterSource;
}

/** The weights of a run, as its programs and its checkpoints know them. */
export interface ModelWeights extends ParameterSource {
  readonly parameters: readonly Parameter[];
  /** Those that train; under ZeRO-3, this rank's part of them. */
  readonly trainable: Store;
  readonly frozen: Store | null;
  /** Replaces the values of one parameter, row-major. */
  write(name: string, values: Values): void;
  /** All values here by name, as they are after all submitted programs. */
  read(): Promise<Map<string, Values>>;
  dispose(): void;
}

/** The part of a forward pass that adapters read. */
export interface AdaptedPass {
  tape: Tape;
  weights: ParameterSource;
  inputs: Store;
  block_size: number;
  training: boolean;
}

/** A linear layer by its name, with its input and output in a forward pass. */
export interface LayerValues {
  layer: string;
  /** [tokens, in_features] */
  x: Tensor;
  /** x W, plus bias and residual if the layer adds them [tokens, out_features]. */
  base: Tensor;
}

/** Updates of linear layers (LoRA, `adapters.ts`), which only some runs have and load. */
export interface Adapters {
  has(layer: string): boolean;
  /** The layer's output with its update [tokens, out_features]. */
  add(pass: AdaptedPass, values: LayerValues): Tensor;
  /** The activation of a feed-forward block whose layers have adapters. */
  activate(pass: AdaptedPass, x: Tensor, attrs: MlpAttrs): Tensor;
}

/** The same weights without their adapters. */
export function withoutAdapters(weights: ParameterSource): ParameterSource {
  return {
    get: (name) => weights.get(name),
    onTape: (tape) => withoutAdapters(weights.onTape?.(tape) ?? weights),
  };
}

/** How the device keeps frozen weights, where it is not as float32 (`frozen_float16.ts`). */
export interface FrozenStorage {
  specOf(parameter: Parameter): Spec;
  /** Is told all values that are written. */
  keep(name: string, values: Values): void;
  /** A copy of the values that were written; undefined if the device has them as they are. */
  original(name: string): Values | undefined;
}

export class Weights implements ModelWeights {
  readonly trainable: Store;
  /** Null where every parameter trains. */
  readonly frozen: Store | null;
  readonly #frozenNames: ReadonlySet<string>;
  readonly #storage: FrozenStorage | null;

  constructor(
    readonly parameters: readonly Parameter[],
    trains: (parameter: Parameter) => boolean,
    readonly adapters: Adapters | null = null,
    storage: FrozenStorage | null = null,
  ) {
    const frozen = parameters.filter((parameter) => !trains(parameter));
    this.#frozenNames = new Set(frozen.map((parameter) => parameter.name));
    this.#storage = storage;
    const specs = frozen.map((parameter) => storage?.specOf(parameter) ?? parameter);
    this.trainable = new Store('weights', parameters.filter(trains));
    this.frozen = specs.length > 0 ? new Store('frozen weights', specs) : null;
  }

  get names(): readonly string[] {
    return this.parameters.map((parameter) => parameter.name);
  }

  get(name: string): Tensor {
    return this.#storeOf(name).get(name);
  }

  /** Replaces the values of one parameter, row-major. */
  write(name: string, values: Values): void {
    this.#storeOf(name).write(name, values);
    if (this.#frozenNames.has(name)) this.#storage?.keep(name, values);
  }

  /** All parameters by name, as they are after all submitted programs. */
  async read(): Promise<Map<string, Values>> {
    const [trainable, frozen] = await Promise.all([this.trainable.read(), this.#readFrozen()]);
    return new Map([...trainable, ...frozen]);
  }

  dispose(): void {
    this.trainable.dispose();
    this.frozen?.dispose();
  }

  async #readFrozen(): Promise<ReadonlyMap<string, Values>> {
    const names = this.frozen?.names ?? [];
    const originals = new Map<string, Values>();
    for (const name of names) {
      const values = this.#storage?.original(name);
      if (values) originals.set(name, values);
    }
    const others = await this.frozen?.read(names.filter((name) => !originals.has(name)));
    return new Map([...originals, ...(others ?? [])]);
  }

  #storeOf(name: string): Store {
    return this.frozen && this.#frozenNames.has(name) ? this.frozen : this.trainable;
  }
}
