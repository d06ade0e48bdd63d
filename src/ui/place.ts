/** Where the person is on the page: what is open, which tab a narrow screen shows. */
import { create } from 'zustand';

export type Tab = 'recipe' | 'charts' | 'samples';
export type Dialog = 'library' | 'compare' | 'profile' | 'shortcuts' | null;

interface Place {
  /** Preset cards, or the room of recipe, charts and samples. */
  at: 'welcome' | 'room';
  tab: Tab;
  dialog: Dialog;
  /** Open sections of the recipe. */
  sections: string[];
}

export const usePlace = create<Place>(() => ({
  at: 'welcome',
  tab: 'charts',
  dialog: null,
  sections: ['data', 'model'],
}));

export const goTo = (change: Partial<Place>): void => usePlace.setState(change);
