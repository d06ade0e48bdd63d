/** "What would 7B take?": plans Llama 2 7B on the chosen fleet, and searches for its best mesh. */
import { SEVEN_B } from '../../plan/parallel/index.ts';
import { planOf, type Surroundings } from './planned.ts';
import { choose, chooseSource, HERE, type Planning, type Source, usePlanning } from './planning.ts';
import { searchAndTake } from './search.ts';

export const SEVEN_B_SOURCE: Source = { kind: 'published', id: SEVEN_B };

export const isSevenB = ({ source }: Planning): boolean =>
  source.kind === SEVEN_B_SOURCE.kind && source.id === SEVEN_B_SOURCE.id;

/** The fleet that is asked about unless one was chosen. */
const CARDS = { fleet: 'card_24', devices: 64, link: 'pcie', edited: {} } as const;

export function askSevenB(around: Surroundings): void {
  chooseSource(SEVEN_B_SOURCE);
  if (usePlanning.getState().fleet === HERE) choose(CARDS);
  void searchAndTake(planOf(usePlanning.getState(), around));
}
