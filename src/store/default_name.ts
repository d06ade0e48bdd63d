/** The name of a run that the user has not named. */
import type { RunConfig } from '../config/index.ts';

const CORPUS_NAMES: Record<RunConfig['data']['corpus'], string> = {
  names: 'Names',
  moby_dick: 'Moby Dick',
  kjv: 'Verses',
  sotu: 'Speeches',
  tiny_tales: 'Tiny tales',
  arithmetic: 'Arithmetic',
  own: 'Own text',
};

/** "Names, 2 × 64" (layers and width): short, and different for most runs. */
export function defaultName({ data, model }: RunConfig): string {
  return `${CORPUS_NAMES[data.corpus]}, ${model.n_layer} × ${model.n_embd}`;
}
