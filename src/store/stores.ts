/** The page's state outside React: one store per concern. */
import { createStore } from 'zustand/vanilla';
import type { Sample } from '../protocol/index.ts';
import { MetricTable } from './columns.ts';
import { createCompare } from './compare.ts';
import { createForm } from './form.ts';
import { createLibrary } from './library.ts';
import { createProfile } from './profile.ts';
import { initialRun, type RunState } from './run.ts';
import { createRecipeState, type RecipeStore } from './recipe_state.ts';
import { createSweep, type SweepStore } from './sweep_state.ts';
import { createView } from './view.ts';
import { createWrite } from './write.ts';

const createRunStore = () => createStore<RunState>(() => initialRun);
const createSampleStore = () => createStore<{ samples: Sample[] }>(() => ({ samples: [] }));

export type RunStateStore = ReturnType<typeof createRunStore>;

export interface Stores {
  run: RunStateStore;
  samples: ReturnType<typeof createSampleStore>;
  form: ReturnType<typeof createForm>;
  view: ReturnType<typeof createView>;
  write: ReturnType<typeof createWrite>;
  library: ReturnType<typeof createLibrary>;
  compare: ReturnType<typeof createCompare>;
  profile: ReturnType<typeof createProfile>;
  sweep: SweepStore;
  recipe: RecipeStore;
  /** Metrics of the current run. Mutable; its `version` increases with every change. */
  table: MetricTable;
}

export const createStores = (): Stores => ({
  run: createRunStore(),
  samples: createSampleStore(),
  form: createForm(),
  view: createView(),
  write: createWrite(),
  library: createLibrary(),
  compare: createCompare(),
  profile: createProfile(),
  sweep: createSweep(),
  recipe: createRecipeState(),
  table: new MetricTable(),
});
