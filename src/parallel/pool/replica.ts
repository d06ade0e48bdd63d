/** A member's copy of the global parameters and the outer momentum, with the bits of everybody's. */
import { hashOf, type OuterConfig, OuterOptimizer } from './diloco.ts';
import { allFinite } from './float16.ts';
import { floatsOf, halvesOf } from './messages.ts';
import type { MessageOf, Plan } from './schema.ts';

export class Replica {
  #optimizer: OuterOptimizer | null = null;

  /** Rounds that were applied; null before there are parameters. */
  get round(): number | null {
    return this.#optimizer?.state.round ?? null;
  }
  get parameters(): Float32Array | null {
    return this.#optimizer?.state.parameters ?? null;
  }
  get momentum(): Float32Array | null {
    return this.#optimizer?.state.momentum ?? null;
  }
  get hash(): string | null {
    return this.parameters && hashOf(this.parameters);
  }

  /** Replaces everything. Returns false, and changes nothing, if the message is not valid. */
  load(
    { round, hash }: MessageOf<'state'>,
    payload: Uint8Array,
    plan: OuterConfig & Pick<Plan, 'n_params'>,
  ): boolean {
    const values = floatsOf(payload, 2 * plan.n_params);
    if (!values?.every(Number.isFinite)) return false;
    const parameters = values.slice(0, plan.n_params);
    const momentum = values.slice(plan.n_params);
    if (hashOf(parameters) !== hash) return false;
    this.#optimizer = new OuterOptimizer(plan, { round, parameters, momentum });
    return true;
  }

  /** Whether this page has applied the mean already. */
  has({ round }: MessageOf<'update'>): boolean {
    return this.round !== null && round < this.round;
  }

  /** Applies the mean of a round. Returns false if the whole state is needed. */
  apply({ round, exponent, hash }: MessageOf<'update'>, payload: Uint8Array): boolean {
    const optimizer = this.#optimizer;
    if (!optimizer || round !== optimizer.state.round) return false;
    const halves = halvesOf(payload, optimizer.state.parameters.length);
    if (!halves || !allFinite(halves)) return false;
    optimizer.apply({ halves, exponent });
    return hashOf(optimizer.state.parameters) === hash;
  }
}
