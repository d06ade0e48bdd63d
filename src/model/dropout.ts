/** Dropout inside segments. Each site draws its own mask, a function of seed, step and global row. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { add, dropout, dropoutAdd } from '../ops/index.ts';
import type { Forward } from './forward.ts';

/** Site of the embedding's dropout; every layer has three more. */
export const EMBEDDING_SITE = 0;

const SITES_OF_LAYER = { attention: 1, attentionBranch: 2, mlpBranch: 3 } as const;

export function dropoutSite(layer: number, place: keyof typeof SITES_OF_LAYER): number {
  return 3 * layer + SITES_OF_LAYER[place];
}

export function dropoutIsOn(forward: Forward): boolean {
  return forward.training && forward.model.dropout > 0;
}

/** `x` with dropout, or `x` itself where dropout is off. */
export function drop(forward: Forward, x: Tensor, site: number): Tensor {
  if (!dropoutIsOn(forward)) return x;
  const rng = forward.inputs.get('rng');
  return forward.tape.apply(dropout, { x, rng }, attributes(forward, site)).y;
}

/** Where a branch's dropout draws, and what the branch is added to, if anything. */
export interface BranchEnd {
  site: number;
  residual: Tensor | undefined;
}

/** A branch with its dropout, plus the residual if there is one. */
export function dropBranch(forward: Forward, x: Tensor, { site, residual }: BranchEnd): Tensor {
  if (!residual) return drop(forward, x, site);
  if (!dropoutIsOn(forward)) return forward.tape.apply(add, { a: residual, b: x }, {}).sum;
  const rng = forward.inputs.get('rng');
  return forward.tape.apply(dropoutAdd, { x, rng, residual }, attributes(forward, site)).y;
}

function attributes({ model, block_size }: Forward, site: number) {
  return { site, rate: model.dropout, rows_per_sequence: block_size };
}
