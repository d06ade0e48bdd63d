/** What the Write panel generates from. */
import { createStore } from 'zustand/vanilla';
import type { WeightsChoice } from '../protocol/index.ts';

export interface WriteState {
  /** Typed in the Write panel. */
  prompt: string;
  /** The weights that the Write panel generates with. */
  weights: WeightsChoice;
}

export const createWrite = () => createStore<WriteState>(() => ({ prompt: '', weights: 'last' }));
