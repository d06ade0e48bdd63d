/** Navigation state: the screen, the tab of a narrow window, the open dialog and sections. */
import { create } from 'zustand';

export type Tab = 'recipe' | 'charts' | 'samples';
export type Dialog = 'library' | 'compare' | 'profile' | 'shortcuts' | null;

interface Place {
  /** The preset cards, or the workspace with recipe, charts and samples. */
  at: 'welcome' | 'workspace';
  tab: Tab;
  dialog: Dialog;
  /** Expanded sections of the recipe. */
  sections: string[];
}

export const usePlace = create<Place>(() => ({
  at: 'welcome',
  tab: 'charts',
  dialog: null,
  sections: ['data', 'model'],
}));

export const goTo = (change: Partial<Place>): void => usePlace.setState(change);
