import { describe, expect, it } from 'vitest';
import type { PlainError } from '../../protocol/index.ts';
import { createStores } from '../stores.ts';
import { createNewStage, setStageField } from './new_stage.ts';
import { watchStart } from './start_stage.ts';

const ERROR: PlainError = { code: 'malformed_line', message: 'Line 3 is not JSON.', hint: '' };

describe('the start of a stage', () => {
  it('tells why a stage could not begin, once', () => {
    const stores = createStores();
    const failures: PlainError[] = [];
    stores.run.setState({ run: 'parent', opening: true, error: null });
    stores.run.setState({ run: null });
    watchStart({ stores }, 'child', (error) => failures.push(error));
    stores.run.setState({ detail: 'Reading the file' });
    stores.run.setState({ error: ERROR, opening: false });
    stores.run.setState({ error: { ...ERROR } });
    expect(failures).toEqual([ERROR]);
  });
  it('leaves errors of a stage that has begun to the run', () => {
    const stores = createStores();
    const failures: PlainError[] = [];
    stores.run.setState({ run: null, opening: true });
    watchStart({ stores }, 'child', (error) => failures.push(error));
    stores.run.setState({ run: 'child', opening: false });
    stores.run.setState({ error: ERROR });
    expect(failures).toEqual([]);
  });
  it('is outdated by any change of the form', () => {
    const form = createNewStage();
    form.setState({ failure: ERROR });
    expect(form.getState().failure).toBe(ERROR);
    setStageField(form, 'dataset.malformed', 'skip');
    expect(form.getState().failure).toBeNull();
  });
});
