/**
 * A chain as kernels over flat ranges, on WebGPU. A range is a run of parameters that lie side by
 * side in every Store concerned and have the same chain but for decay, which takes the first of
 * them (parameters come matrices first): with one chunk a Store and one rule, the whole update is
 * one dispatch. Stores that the binding limit cuts elsewhere only make for more ranges. Muon's
 * matrices have no kernel; they are run in tfjs ops (plain.ts).
 */
import { add, concat, sqrt, square, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Moment } from '../common/index.ts';
import type { Store } from '../backend/index.ts';
import {
  adamUpdate,
  gradNorm,
  run,
  scaledStepResults,
  sgdUpdate,
  stepResults,
  sumOfSquares,
  type UpdateAttrs,
} from '../ops/index.ts';
import {
  betasOf,
  chainOf,
  maxNorm,
  momentsOf,
  type OptimizedParameter,
  type Transform,
} from './describe.ts';
import type { LossScale } from './loss_scale.ts';
import { stateOf, type UpdateStores } from './stores.ts';

/** A parameter's chain, where a kernel has it. */
export type Rule =
  | {
      kind: 'adam';
      beta1: number;
      beta2: number;
      epsilon: number;
      weight_decay: number;
      coupled: boolean;
    }
  | { kind: 'sgd'; momentum: number; weight_decay: number; coupled: boolean };

/** The kernel for this parameter's chain, or null where there is none. */
export function ruleOf(chain: readonly Transform[], p: OptimizedParameter): Rule | null {
  const own = chainOf(chain, p);
  const scale = own.findIndex((t) => t.kind === 'scale_by_adam' || t.kind === 'scale_by_momentum');
  const at = own.findIndex((t) => t.kind === 'add_decayed_weights');
  const t = own[scale];
  const decay = own[at];
  const rate = own[own.length - 1];
  if (
    !t ||
    own.length !== (decay ? 3 : 2) ||
    rate?.kind !== 'scale_by_learning_rate' ||
    rate.rate !== 'learning_rate'
  )
    return null;
  const shared = {
    weight_decay: decay?.kind === 'add_decayed_weights' ? decay.weight_decay : 0,
    coupled: at >= 0 && at < scale,
  };
  if (t.kind === 'scale_by_adam')
    return { kind: 'adam', beta1: t.beta1, beta2: t.beta2, epsilon: t.epsilon, ...shared };
  return t.kind === 'scale_by_momentum' ? { kind: 'sgd', momentum: t.momentum, ...shared } : null;
}

/** Where a Store has its tensors. */
type Layout = Pick<Store, 'names' | 'offsetOf'>;
interface Layouts {
  parameters: Layout;
  gradients: Layout;
  state: Partial<Record<Moment, Layout>>;
}

/** `decayed` values from the first on decay (padding included). */
export interface Range {
  first: string;
  last: string;
  rule: Rule;
  decayed: number;
}

/** Cuts the parameters that have a kernel into ranges, in their order. */
export function rangesOf(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  s: Layouts,
): Range[] {
  const ranges: (Range & { moments: Moment[]; decaying: boolean })[] = [];
  for (const p of parameters) {
    const rule = ruleOf(chain, p);
    const range = ranges[ranges.length - 1];
    if (!rule) continue;
    const decaying = rule.weight_decay > 0;
    if (
      !range ||
      !sameButDecay(range.rule, rule) ||
      (decaying && !range.decaying) ||
      !adjacent(range.last, p.name, range.moments, s)
    ) {
      ranges.push({
        first: p.name,
        last: p.name,
        rule,
        decaying,
        decayed: decaying ? parameterEnd(p, p.name, s) : 0,
        moments: momentsOf(chain, p),
      });
      continue;
    }
    range.last = p.name;
    range.decaying = decaying;
    if (decaying) range.decayed = parameterEnd(p, range.first, s);
  }
  return ranges;
}

const sameButDecay = (a: Rule, b: Rule): boolean => {
  const shape = (r: Rule): string => JSON.stringify({ ...r, weight_decay: 0, coupled: false });
  return shape(a) === shape(b);
};

/** Values from the start of `first` to the end of p. */
const parameterEnd = (p: OptimizedParameter, first: string, { parameters }: Layouts): number =>
  parameters.offsetOf(p.name).offset -
  parameters.offsetOf(first).offset +
  p.shape.reduce((a, b) => a * b, 1);

/** Whether b follows a at the same distance in every store. */
function adjacent(a: string, b: string, moments: readonly Moment[], s: Layouts): boolean {
  const steps = [
    stepBetween(s.parameters, a, b),
    stepBetween(s.gradients, a, b),
    ...moments.map((m) => stepBetween(s.state[m], `${m}.${a}`, `${m}.${b}`)),
  ];
  return steps.every((step) => step !== null && step === steps[0]);
}

function stepBetween(store: Layout | undefined, a: string, b: string): number | null {
  if (!store) return null;
  const from = store.offsetOf(a);
  const to = store.offsetOf(b);
  const { names } = store;
  return from.chunk === to.chunk && names.indexOf(b) === names.indexOf(a) + 1
    ? to.offset - from.offset
    : null;
}

/** Length of all gradients, a scalar: two dispatches a chunk. */
export function flatNorm(gradients: Store): Tensor {
  const norms = gradients.chunks.map(({ tensor }) => run(gradNorm, { x: tensor }, {}).norm);
  const [only] = norms;
  return norms.length === 1 && only
    ? only
    : tidy(() => sqrt(norms.map((n) => square(n)).reduce((a, b) => add(a, b))));
}

/**
 * The same beside the sums of a step: results [sums..., norm], and the sums zeroed in place. One
 * dispatch a chunk and one more (and one to join the chunks' parts, where there are several). With
 * a loss scale, which is moved on, the norm is that of the true gradients, inverse_scale leads from
 * the others to them, and the bias corrections among the scalars are made anew.
 */
export function flatResults(
  chain: readonly Transform[],
  { gradients, scalars }: UpdateStores,
  sums: Tensor,
  scaling: LossScale | null,
): { norm: Tensor; inverse_scale: Tensor | null; results: Tensor } {
  const all = gradients.chunks.map(({ tensor }) => run(sumOfSquares, { x: tensor }, {}).parts);
  const [only] = all;
  const parts = all.length === 1 && only ? only : concat(all);
  if (!scaling) return { ...run(stepResults, { parts, sums }, {}), inverse_scale: null };
  const { store, max_scale } = scaling;
  return run(
    scaledStepResults,
    {
      parts,
      sums,
      scale: store.get('scale'),
      counts: store.get('counts'),
      scalars: scalars.get('scalars'),
    },
    { max_scale, ...betasOf(chain) },
  );
}

/** Moves what has a kernel, and zeroes its gradients. Returns the parameters that have none. */
export function updateFused(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  s: UpdateStores,
  norm: Tensor,
  inverse_scale: Tensor,
): OptimizedParameter[] {
  for (const range of rangesOf(chain, parameters, s)) {
    const { rule, decayed, first, last } = range;
    const state = (m: Moment): Tensor => stateOf(s, m).flat(`${m}.${first}`, `${m}.${last}`);
    const attrs: UpdateAttrs = {
      max_norm: maxNorm(chain),
      weight_decay: rule.weight_decay,
      coupled: rule.coupled,
      decayed,
    };
    const inputs = {
      parameter: s.parameters.flat(first, last),
      gradient: s.gradients.flat(first, last),
      norm,
      inverse_scale,
      scalars: s.scalars.get('scalars'),
    };
    switch (rule.kind) {
      case 'adam':
        run(
          adamUpdate,
          { ...inputs, exp_avg: state('exp_avg'), exp_avg_sq: state('exp_avg_sq') },
          { ...attrs, beta1: rule.beta1, beta2: rule.beta2, epsilon: rule.epsilon },
        );
        break;
      case 'sgd':
        run(
          sgdUpdate,
          { ...inputs, momentum_buffer: state('momentum_buffer') },
          { ...attrs, momentum: rule.momentum },
        );
        break;
      default:
        rule satisfies never;
    }
  }
  return parameters.filter((p) => !ruleOf(chain, p));
}
