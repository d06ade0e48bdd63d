/** What is planned: the choices of the panel, kept while the page is open. */
import { create } from 'zustand';
import type { ResolvedModel } from '../../config/index.ts';
import {
  type Found,
  type Mesh,
  ONE_RANK,
  type ParallelTraining,
} from '../../plan/parallel/index.ts';

/** The fleet of devices like the one that shows the page. */
export const HERE = 'here';

/** A model: the recipe of the form, a preset, a saved run, a published model or an opened file. */
export type SourceKind = 'recipe' | 'preset' | 'run' | 'published' | 'file';
export interface Source {
  kind: SourceKind;
  /** Of a preset, run or published model; else ''. */
  id: string;
}

export interface OpenedModel {
  name: string;
  model: ResolvedModel;
  /** What to know about its plan; '' if nothing. */
  note: string;
}

/** What the user has changed of the model's own training; absent fields are the model's. */
export interface TrainingChanges extends Partial<Omit<ParallelTraining, 'batch_size'>> {
  /** Sequences of a step. */
  global_batch_size?: number;
  seq_length?: number;
}

/** Numbers that were typed in place of those of the chosen fleet and link. */
export interface EditedRates {
  bytes?: number;
  flops_per_second?: number;
  bytes_per_second?: number;
}

export interface Planning {
  source: Source;
  file: OpenedModel | null;
  /** Why the last file could not be read; '' if it could. */
  failure: string;
  changes: TrainingChanges;
  mesh: Mesh;
  /** Id of FLEETS, or HERE. */
  fleet: string;
  /** Devices of the fleet. */
  devices: number;
  link: string;
  edited: EditedRates;
  /** The result of the last search, until what it was about changes. */
  found: Found | null;
}

export const usePlanning = create<Planning>(() => ({
  source: { kind: 'recipe', id: '' },
  file: null,
  failure: '',
  changes: {},
  mesh: ONE_RANK,
  fleet: HERE,
  devices: 8,
  link: 'wifi',
  edited: {},
  found: null,
}));

/** The search that goes on; null if none does. Apart from the choices, so that its progress plans nothing. */
export const useSearching = create<{ searching: { tried: number } | null }>(() => ({
  searching: null,
}));

export const endSearch = (): void => useSearching.setState({ searching: null });

/** Changes a choice. A search and its result are about the choices before. */
export function choose(change: Partial<Planning>): void {
  endSearch();
  usePlanning.setState({ found: null, ...change });
}

/** Another model starts with its own training, on one rank. */
export const chooseSource = (source: Source): void =>
  choose({ source, changes: {}, failure: '', mesh: ONE_RANK });

export function changeMesh(change: Partial<Mesh>): void {
  endSearch();
  usePlanning.setState(({ mesh }) => ({ mesh: { ...mesh, ...change } }));
}

export const changeTraining = (change: TrainingChanges): void =>
  choose({ changes: { ...usePlanning.getState().changes, ...change } });

export const editRates = (change: EditedRates): void =>
  choose({ edited: { ...usePlanning.getState().edited, ...change } });
