/**
 * Gradients under ZeRO-2 and ZeRO-3 (Rajbhandari et al. 2020). A rank keeps gradients only of the
 * values that it owns. The whole gradient of a parameter exists for a moment of the backward pass: as
 * soon as it is complete it is reduce-scattered to its owners, and its memory is free again.
 *
 * The weights of ZeRO-3 are in `sharded_weights.ts`.
 */
import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { addInPlace, boundary, readback, Store } from '../backend/index.ts';
import type { ModelGradients } from '../model/index.ts';
import type { Group } from './collectives.ts';
import { sumOfParts } from './data.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';
import { addToSum } from './synced_gradients.ts';
import { shardOfRank, type Shards } from './shards.ts';

/** The trainable parameters of a rank, and who owns which of their values. */
export interface Sharding {
  /** The ranks of data parallelism. */
  group: Group;
  parameters: readonly LocalParameter[];
  shards: Shards;
  /** The ranks of tensor parallelism. */
  tp: Group;
}

/** Finds the parameter that a tensor holds while a program is traced. */
export interface ParameterNames {
  /** Called before each trace. */
  refresh(): void;
  /** Undefined if the tensor is no trainable parameter. */
  nameOf(tensor: Tensor): string | undefined;
}

/** The parameters of a store that holds each of them whole, whose tensors stay the same. */
export function namesInStore(store: Store): ParameterNames {
  const names = new Map(store.names.map((name) => [store.get(name).id, name]));
  return { refresh: () => undefined, nameOf: ({ id }) => names.get(id) };
}

/**
 * A store for the values that this rank owns of each parameter: a flat run of values [length], or the
 * parameter in its own shape if this rank owns all of it. Parameters of other ranks are missing.
 */
export function shardStore(
  label: string,
  { group, parameters, shards }: Omit<Sharding, 'tp'>,
): Store {
  const own = shardOfRank(shards, group.index);
  const specs = parameters.flatMap(({ parameter }) => {
    const range = own.get(parameter.name);
    if (!range) return [];
    const size = parameter.shape.reduce((product, n) => product * n, 1);
    const length = range.end - range.start;
    return [{ name: parameter.name, shape: length === size ? parameter.shape : [length] }];
  });
  return new Store(label, specs);
}

/** Gradients that are reduce-scattered while the backward pass runs. */
export class ShardedGradients implements ModelGradients, Reduction {
  readonly store: Store;
  readonly #sharding: Sharding;
  readonly #names: ParameterNames;
  readonly #locals: ReadonlyMap<string, LocalParameter>;
  /** Gradients of embeddings, to which this program may still add (a tied embedding has two). */
  readonly #pending = new Map<string, Tensor>();
  /** Gradients that this rank owns, summed over the micro-batches so far, by parameter. */
  readonly #sums = new Map<string, Float32Array>();
  #inFlight: Promise<void>[] = [];

  constructor(sharding: Sharding, names: ParameterNames) {
    this.#sharding = sharding;
    this.#names = names;
    this.store = shardStore('gradients', sharding);
    this.#locals = new Map(sharding.parameters.map((local) => [local.parameter.name, local]));
  }

  refresh(): void {
    this.#names.refresh();
  }
  parameterOf(tensor: Tensor): string | undefined {
    return this.#names.nameOf(tensor);
  }
  /** A pending gradient, to which kernels add in place, with the same bits as without ZeRO. */
  buffer(name: string): Tensor | undefined {
    return this.#pending.get(name);
  }

  /** Called while a program is traced: reduces the gradient at this point of the program. */
  add(name: string, gradient: Tensor): void {
    const local = this.#locals.get(name);
    if (local?.parameter.kind !== 'embedding') {
      this.#reduceScatter(name, gradient);
      return;
    }
    // A tied embedding gets the head's part first. As without ZeRO, the sum of both is reduced.
    const pending = this.#pending.get(name);
    if (pending) addInPlace(pending, gradient);
    else this.#pending.set(name, clone(gradient));
  }

  flush(): void {
    for (const [name, gradient] of this.#pending) {
      this.#reduceScatter(name, gradient);
      gradient.dispose();
    }
    this.#pending.clear();
  }

  async finish(norms: SquaredNorms): Promise<void> {
    await Promise.all(this.#inFlight);
    this.#inFlight = [];
    const { tp, group } = this.#sharding;
    for (const [name, values] of this.#sums) {
      const local = this.#locals.get(name);
      if (local && !local.copy && !(local.replicated && tp.index > 0)) {
        norms.add({ parameter: local.index, tp: tp.index, dp: group.index }, values);
      }
      this.store.write(name, values);
    }
    this.#sums.clear();
  }

  #reduceScatter(name: string, gradient: Tensor): void {
    boundary(gradient, {
      name: 'reduce_scatter',
      run: (tensor) => {
        const reduced = this.#reduce(name, tensor);
        // Prevents an unhandled rejection; `finish` still sees the error.
        reduced.catch(() => undefined);
        this.#inFlight.push(reduced);
      },
    });
  }

  /** Copies the gradient before it waits for other ranks, so the program may continue. */
  async #reduce(name: string, tensor: Tensor): Promise<void> {
    const { group, shards, tp } = this.#sharding;
    const local = this.#locals.get(name);
    const ranges = shards.get(name) ?? [];
    const [values] = await readback([tensor]);
    const computed = Float32Array.from(values ?? []);
    const gradient = local?.partial_gradient ? await sumOfParts(local, computed, tp) : computed;
    const slices = ranges.map(({ start, end }) => gradient.subarray(start, end));
    const sum = await group.reduceScatter(slices, name);
    if (sum.length === 0) return;
    addToSum(this.#sums, name, sum);
  }
}
