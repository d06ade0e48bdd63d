import { expect, it } from 'vitest';
import { defaultConfig } from '../../config/index.ts';
import type { RunRecord } from '../../protocol/index.ts';
import { missingModel } from './missing_model.ts';

const record = (run: string, objective: string, resumable: boolean): RunRecord => ({
  run,
  name: run,
  created: 0,
  updated: 0,
  step: 5,
  max_iters: 10,
  val_loss: null,
  last_val_loss: null,
  n_params: 1,
  bytes: 1,
  config: defaultConfig(),
  locked: false,
  resumable,
  lineage: { objective, parent: null, dataset: '' },
  best: null,
});

it.each([
  ['Gone', '“Gone” was deleted: restore it in the library, or choose another model.'],
  ['Judge', '“Judge” is a reward model, which writes no text: choose another model.'],
  ['Begun', '“Begun” has no checkpoint yet: choose another model.'],
  ['f00', /^The model that this address names is not in the storage of this browser/u],
])('says why the model %s cannot be used', (run, sentence) => {
  const runs = [record('Judge', 'reward', true), record('Begun', 'sft', false)];
  const deleted = [{ run: 'Gone', name: 'Gone', deleted: 0, bytes: 1 }];
  expect(missingModel(run, { runs, deleted })).toMatch(sentence);
});
