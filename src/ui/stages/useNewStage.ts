/** The form of a new stage, as components read it. */
import { useStore } from 'zustand';
import { newStage, type NewStageState } from '../../store/stages/new_stage.ts';

export const useNewStage = <T>(select: (state: NewStageState) => T): T =>
  useStore(newStage, select);
