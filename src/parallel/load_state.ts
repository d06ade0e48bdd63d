/** The inverse of `gather_state.ts`: each rank takes its part of a state of the whole model. */
import { initialValues } from '../model/index.ts';
import { savedReference, savedValues, type TrainerState } from '../train/index.ts';
import type { RankParts } from './rank_build.ts';

/** Writes the weights and moments that training starts from: saved ones, or else initial ones. */
export function loadState(parts: RankParts, from: TrainerState | null): void {
  const { locals, stores, referenceCopy, setting, optimizer } = parts;
  const referenceNames = new Set(referenceCopy?.parameters.map(({ name }) => name));
  const { seed } = setting.config.training;
  for (const local of locals) {
    const { name } = local.whole;
    const whole = savedValues(from, name) ?? initialValues(local.whole, seed);
    stores.weights.write(name, local.take(whole));
    if (referenceNames.has(name)) {
      referenceCopy?.write(name, local.take(savedReference(from, name) ?? whole));
    }
  }
  if (!from) return;
  const moments = new Set(optimizer.state.names);
  for (const [name, whole] of from.optimizer) {
    const values = ownedMoment(parts, name, whole);
    if (values && moments.has(name)) optimizer.state.write(name, values);
  }
}

/** This rank's part of a moment; null if it keeps none of it. `whole` has the values of the model. */
function ownedMoment(
  { locals, shards, place, mesh }: RankParts,
  name: string,
  whole: Float32Array,
): Float32Array | null {
  const parameter = name.slice(name.indexOf('.') + 1);
  const local = locals.find((candidate) => candidate.parameter.name === parameter);
  if (!local) return null;
  const values = local.take(whole);
  if (mesh.zero_stage === 0) return values;
  const range = shards.get(parameter)?.[place.dp];
  return range ? values.slice(range.start, range.end) : null;
}
