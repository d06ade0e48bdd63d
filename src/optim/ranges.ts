/**
 * Which parameters one kernel dispatch can update together. A range is a run of parameters that are
 * adjacent in every Store involved and have the same chain, except that only a prefix of them may
 * have weight decay (parameters come matrices first). If each Store is one chunk and the chain is
 * the same for all parameters, the whole update is one range. Stores that the binding limit cuts
 * into chunks at different places only lead to more ranges.
 */
import type { Store } from '../backend/index.ts';
import { type Moment, MOMENTS } from '../common/index.ts';
import { chainOf, momentsOf, type OptimizedParameter, type Transform } from './describe.ts';

/** The chain of a parameter, if a kernel implements it. */
export type Rule = {
  weight_decay: number;
  /** Decay is added to the gradient (Adam, SGD) instead of the update (AdamW). */
  coupled: boolean;
} & (
  | { kind: 'adam'; beta1: number; beta2: number; epsilon: number }
  | { kind: 'sgd'; momentum: number }
);

/** The rule of this parameter's chain, or null if no kernel implements it. */
export function ruleOf(chain: readonly Transform[], parameter: OptimizedParameter): Rule | null {
  const transforms = chainOf(chain, parameter);
  const scale = transforms.find(
    (transform) => transform.kind === 'scale_by_adam' || transform.kind === 'scale_by_momentum',
  );
  const decay = transforms.find((transform) => transform.kind === 'add_decayed_weights');
  const rate = transforms.at(-1);
  const isSupported =
    transforms.length === (decay ? 3 : 2) &&
    rate?.kind === 'scale_by_learning_rate' &&
    rate.rate === 'learning_rate';
  if (!scale || !isSupported) return null;
  const decayRule = {
    weight_decay: decay?.weight_decay ?? 0,
    coupled: decay !== undefined && transforms.indexOf(decay) < transforms.indexOf(scale),
  };
  if (scale.kind === 'scale_by_momentum')
    return { kind: 'sgd', momentum: scale.momentum, ...decayRule };
  const { beta1, beta2, epsilon } = scale;
  return { kind: 'adam', beta1, beta2, epsilon, ...decayRule };
}

/** Where a Store keeps its tensors. */
type Layout = Pick<Store, 'names' | 'offsetOf'>;
export interface Layouts {
  parameters: Layout;
  gradients: Layout;
  state: Partial<Record<Moment, Layout>>;
}

/** A layout with the index of each of its names. */
interface IndexedLayout extends Pick<Layout, 'offsetOf'> {
  indexOf: ReadonlyMap<string, number>;
}
interface IndexedLayouts {
  parameters: IndexedLayout;
  gradients: IndexedLayout;
  state: ReadonlyMap<Moment, IndexedLayout>;
}

/** Parameters from `first` to `last` that one dispatch updates. */
export interface Range {
  first: string;
  last: string;
  rule: Rule;
  /** Number of values, from the first one and with padding, that have weight decay. */
  decayed: number;
}

/** A range that may still grow. */
interface OpenRange extends Range {
  moments: Moment[];
  /** Whether its last parameter has weight decay. */
  lastDecays: boolean;
}

/** Divides the parameters that have a rule into ranges, in their order. */
export function rangesOf(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  stores: Layouts,
): Range[] {
  const layouts = indexAll(stores);
  const ranges: OpenRange[] = [];
  for (const parameter of parameters) {
    const rule = ruleOf(chain, parameter);
    if (!rule) continue;
    const lastDecays = rule.weight_decay > 0;
    const open = ranges.at(-1);
    if (open && canAppend(open, parameter, rule, layouts)) {
      open.last = parameter.name;
      open.lastDecays = lastDecays;
      if (lastDecays) open.decayed = distanceToEnd(open.first, parameter, layouts);
      continue;
    }
    const { name } = parameter;
    const decayed = lastDecays ? distanceToEnd(name, parameter, layouts) : 0;
    const moments = momentsOf(chain, parameter);
    ranges.push({ first: name, last: name, rule, decayed, moments, lastDecays });
  }
  return ranges;
}

function indexAll({ parameters, gradients, state }: Layouts): IndexedLayouts {
  const moments = MOMENTS.flatMap((moment): [Moment, IndexedLayout][] => {
    const layout = state[moment];
    return layout ? [[moment, indexed(layout)]] : [];
  });
  return {
    parameters: indexed(parameters),
    gradients: indexed(gradients),
    state: new Map(moments),
  };
}

function indexed(layout: Layout): IndexedLayout {
  return {
    offsetOf: (name) => layout.offsetOf(name),
    indexOf: new Map(layout.names.map((name, index) => [name, index])),
  };
}

function canAppend(
  range: OpenRange,
  { name }: OptimizedParameter,
  rule: Rule,
  layouts: IndexedLayouts,
): boolean {
  const decayResumes = rule.weight_decay > 0 && !range.lastDecays;
  return (
    !decayResumes &&
    equalExceptDecay(range.rule, rule) &&
    areAdjacent(range.last, name, range.moments, layouts)
  );
}

function equalExceptDecay(a: Rule, b: Rule): boolean {
  const withoutDecay = (rule: Rule): string =>
    JSON.stringify({ ...rule, weight_decay: 0, coupled: false });
  return withoutDecay(a) === withoutDecay(b);
}

/** Number of values from the start of the parameter `first` to the end of `last`. */
function distanceToEnd(
  first: string,
  last: OptimizedParameter,
  { parameters }: Pick<IndexedLayouts, 'parameters'>,
): number {
  const size = last.shape.reduce((a, b) => a * b, 1);
  return parameters.offsetOf(last.name).offset - parameters.offsetOf(first).offset + size;
}

/** Whether the parameter b follows a directly, and at the same distance, in every Store. */
function areAdjacent(
  a: string,
  b: string,
  moments: readonly Moment[],
  { parameters, gradients, state }: IndexedLayouts,
): boolean {
  const distances = [
    distanceBetween(parameters, a, b),
    distanceBetween(gradients, a, b),
    ...moments.map((moment) =>
      distanceBetween(state.get(moment), `${moment}.${a}`, `${moment}.${b}`),
    ),
  ];
  return distances.every((distance) => distance !== null && distance === distances[0]);
}

/** Values from the start of a to that of b; null if b does not follow a directly in one chunk. */
function distanceBetween(store: IndexedLayout | undefined, a: string, b: string): number | null {
  if (!store) return null;
  const from = store.offsetOf(a);
  const to = store.offsetOf(b);
  const followsDirectly = store.indexOf.get(b) === (store.indexOf.get(a) ?? -1) + 1;
  return from.chunk === to.chunk && followsDirectly ? to.offset - from.offset : null;
}
