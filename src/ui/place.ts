/** Navigation state: the screen, the tab of a narrow window, the open dialog and sections. */
import { create } from 'zustand';

/** Parts of the workspace. In a narrow window, charts and samples share one tab. */
export type Tab = 'recipe' | 'charts' | 'samples';
export type Dialog = 'library' | 'compare' | 'profile' | 'gpus' | 'share' | 'shortcuts' | null;

/**
 * The preset cards, the workspace with recipe, charts and samples, or a place about the saved models,
 * which is loaded when it is first shown.
 */
export type At = 'welcome' | 'workspace' | ModelPlace;
export type ModelPlace =
  'stages' | 'new_stage' | 'chat' | 'votes' | 'evaluate' | 'plan' | 'together' | 'ranks';

interface Place {
  at: At;
  /** What a place about models is about, such as the id of a run; null where nothing is chosen. */
  subject: string | null;
  tab: Tab;
  /** Whether the recipe is open beside a run, which otherwise shows a summary of it. */
  recipeOpen: boolean;
  dialog: Dialog;
  /** Expanded sections of the recipe. */
  sections: string[];
}

export const usePlace = create<Place>(() => ({
  at: 'welcome',
  subject: null,
  tab: 'charts',
  recipeOpen: false,
  dialog: null,
  sections: ['data', 'model'],
}));

/** Going to the recipe opens it, and going to another part gives its room back. */
export const goTo = (change: Partial<Place>): void =>
  usePlace.setState(
    change.tab === undefined ? change : { recipeOpen: change.tab === 'recipe', ...change },
  );

/** Opens a place about models; `subject` is usually the id of a run. */
export const goToModels = (at: ModelPlace, subject: string | null = null): void =>
  goTo({ at, subject, dialog: null });
