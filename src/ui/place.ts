/** Navigation state: the screen, the tab of a narrow window, the open dialog and sections. */
import { create } from 'zustand';

/** Parts of the workspace. In a narrow window, charts and samples share one tab. */
export type Tab = 'recipe' | 'charts' | 'samples';
export type Dialog = 'library' | 'compare' | 'profile' | 'share' | 'shortcuts' | null;

interface Place {
  /** The preset cards, or the workspace with recipe, charts and samples. */
  at: 'welcome' | 'workspace';
  tab: Tab;
  /** Whether the recipe is open beside a run, which otherwise shows a summary of it. */
  recipeOpen: boolean;
  dialog: Dialog;
  /** Expanded sections of the recipe. */
  sections: string[];
}

export const usePlace = create<Place>(() => ({
  at: 'welcome',
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
