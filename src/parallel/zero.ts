/**
 * Gradients under ZeRO-2 and ZeRO-3 (Rajbhandari et al. 2020). A rank keeps those of what it owns.
 * Gradients of its rows are whole for a moment of the backward pass only: each is sent to its owners
 * as soon as it is complete. `sharded_weights.ts` has the weights of ZeRO-3.
 */
import { clone, type Tensor } from '@tensorflow/tfjs-core';
import { addInPlace, boundary, readback, Store } from '../backend/index.ts';
import type { ModelGradients } from '../model/index.ts';
import type { Group } from './collectives.ts';
import { sumOfParts } from './data.ts';
import type { LocalParameter } from './local_parameters.ts';
import type { SquaredNorms } from './norm.ts';
import type { Reduction } from './reduction.ts';
import { addTo } from './synced_gradients.ts';
import { shardOfRank, type Shards } from './shards.ts';

/** The trainable parameters of a rank, and who owns which of their values. */
export interface Sharding {
  group: Group;
  parameters: readonly LocalParameter[];
  shards: Shards;
  /** The ranks of tensor parallelism. */
  tp: Group;
}

/** Which parameter a tensor is, while a program is traced. */
export interface Naming {
  refresh(): void;
  nameOf(tensor: Tensor): string | undefined;
}

/** Names of the tensors of a store, which do not change. */
export function namesIn(store: Store): Naming {
  const names = new Map(store.names.map((name) => [store.get(name).id, name]));
  return { refresh: () => undefined, nameOf: ({ id }) => names.get(id) };
}

/** A store for what this rank owns of each parameter: flat values, or whole matrices. */
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

/** Gradients of which this rank keeps what it owns. */
export class ShardedGradients implements ModelGradients, Reduction {
  readonly store: Store;
  readonly #sharding: Sharding;
  readonly #naming: Naming;
  readonly #locals: ReadonlyMap<string, LocalParameter>;
  /** Gradients of embeddings, of which more may follow in this program. */
  readonly #waiting = new Map<string, Tensor>();
  /** What this rank owns, added up over the micro-batches. */
  readonly #sums = new Map<string, Float32Array>();
  #underWay: Promise<void>[] = [];

  constructor(sharding: Sharding, naming: Naming) {
    this.#sharding = sharding;
    this.#naming = naming;
    this.store = shardStore('gradients', sharding);
    this.#locals = new Map(sharding.parameters.map((local) => [local.parameter.name, local]));
  }

  refresh(): void {
    this.#naming.refresh();
  }
  parameterOf(tensor: Tensor): string | undefined {
    return this.#naming.nameOf(tensor);
  }
  /** What already waits: kernels add to it as they do to whole buffers, with the same bits. */
  buffer(name: string): Tensor | undefined {
    return this.#waiting.get(name);
  }

  /** Sends a gradient to its owners at this place of the program. */
  add(name: string, gradient: Tensor): void {
    const local = this.#locals.get(name);
    if (local?.parameter.kind !== 'embedding') {
      this.#send(name, gradient);
      return;
    }
    // The head's part of a tied embedding comes first; the sum is sent, as without ZeRO.
    const before = this.#waiting.get(name);
    if (before) addInPlace(before, gradient);
    else this.#waiting.set(name, clone(gradient));
  }

  flush(): void {
    for (const [name, gradient] of this.#waiting) {
      this.#send(name, gradient);
      gradient.dispose();
    }
    this.#waiting.clear();
  }

  async finish(norms: SquaredNorms): Promise<void> {
    await Promise.all(this.#underWay);
    this.#underWay = [];
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

  #send(name: string, gradient: Tensor): void {
    boundary(gradient, {
      name: 'reduce_scatter',
      run: (tensor) => {
        const sent = this.#reduce(name, tensor);
        // Whoever awaits it in `finish` sees the error.
        sent.catch(() => undefined);
        this.#underWay.push(sent);
      },
    });
  }

  /** The values are copied before this function waits, so the program may go on meanwhile. */
  async #reduce(name: string, tensor: Tensor): Promise<void> {
    const { group, shards, tp } = this.#sharding;
    const local = this.#locals.get(name);
    const ranges = shards.get(name) ?? [];
    const [values] = await readback([tensor]);
    const own = Float32Array.from(values ?? []);
    const whole = local?.partial_gradient ? await sumOfParts(local, own, tp) : own;
    const slices = ranges.map(({ start, end }) => whole.subarray(start, end));
    const sum = await group.reduceScatter(slices, name);
    if (sum.length === 0) return;
    addTo(this.#sums, name, sum);
  }
}
