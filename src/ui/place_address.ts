/**
 * The address of a place about models, in the fragment: `#stages`, `#chat/RUN`. Back, forward, reload
 * and links lead to it. The preset cards and the workspace have no fragment.
 */
import { goTo, usePlace, type At, type ModelPlace } from './place.ts';

const MODEL_PLACES: Readonly<Record<ModelPlace, true>> = {
  stages: true,
  new_stage: true,
  chat: true,
  votes: true,
  evaluate: true,
  plan: true,
  together: true,
  ranks: true,
};

const isModelPlace = (name: string): name is ModelPlace => Object.hasOwn(MODEL_PLACES, name);

/** The fragment of a place; '' for those that have none. */
export function fragmentOf(at: At, subject: string | null): string {
  if (!isModelPlace(at)) return '';
  return subject === null ? `#${at}` : `#${at}/${encodeURIComponent(subject)}`;
}

/** The place that a fragment names, or null if it names none. */
export function placeOf(fragment: string): { at: ModelPlace; subject: string | null } | null {
  const [name = '', subject] = fragment.replace(/^#/u, '').split('/');
  if (!isModelPlace(name)) return null;
  return { at: name, subject: subject ? decoded(subject) : null };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Goes to the place of the address, and keeps the two together from then on. */
export function followAddress(): void {
  let plain: At = usePlace.getState().at;
  const linked = placeOf(location.hash);
  if (linked) goTo(linked);
  usePlace.subscribe(({ at, subject }) => {
    if (!isModelPlace(at)) plain = at;
    const fragment = fragmentOf(at, subject);
    if (fragment === fragmentHere()) return;
    history.pushState(null, '', location.pathname + location.search + fragment);
  });
  window.addEventListener('popstate', () => goTo(placeOf(location.hash) ?? { at: plain }));
}

/** A fragment of another kind counts as none. */
const fragmentHere = (): string => (placeOf(location.hash) ? location.hash : '');
