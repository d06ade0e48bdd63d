import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseRecipe } from '../config/stage/index.ts';
import type { StartOptions } from './client_types.ts';
import { keptRecipe } from './kept_recipe.ts';
import { MemoryStorage } from '../testing/memory_storage.ts';
import { RecipeRunner } from './recipe_runner.ts';
import type { RunState } from './run.ts';
import { savedRun } from './stages/testing_saved_run.ts';
import { createStores, type Stores } from './stores.ts';

const SOURCE = {
  name: 'Chain',
  stages: [
    { id: 'base', name: 'Base' },
    { id: 'reward', name: 'Reward', parent: 'base', stage: { objective: 'reward' } },
    {
      id: 'ppo',
      name: 'PPO',
      parent: 'base',
      weights: 'best',
      reward_model: 'reward',
      stage: { objective: 'ppo' },
    },
  ],
};
const RECIPE = parseRecipe(SOURCE);

const DELETED = { run: 'Base', name: 'Base', deleted: 0, bytes: 1 };

let stores: Stores;
let runner: RecipeRunner;
/** What each run was started with; its id is the name that it got. */
let started: StartOptions[];
const stopRun = vi.fn();
const cancel = vi.fn();
const list = vi.fn();
const resume = vi.fn();
const train = vi.fn();

beforeEach(() => {
  stores = createStores();
  started = [];
  vi.clearAllMocks();
  runner = new RecipeRunner({ stores, library: { list }, start, resume, train, stopRun, cancel });
  runner.start(RECIPE);
});

const start = (_: unknown, options: StartOptions): string => {
  started.push(options);
  become({ run: null, phase: 'preparing', opening: true, error: null });
  return options.name ?? '';
};
const become = (change: Partial<RunState>): void => stores.run.setState(change);
const members = () =>
  runner.store.getState().members.map(({ name, status, problem }) => [name, status, problem]);
const trains = (run: string): void => become({ run, phase: 'training', opening: false });
const finish = async (count: number): Promise<void> => {
  become({ phase: 'done', finished: 'max_iters' });
  await vi.waitFor(() => expect(started).toHaveLength(count));
};

describe('a recipe', () => {
  it('starts each stage from the runs of those that it names', async () => {
    trains('Base');
    await finish(2);
    trains('Reward');
    await finish(3);
    trains('PPO');
    become({ phase: 'done', finished: 'max_iters' });
    await vi.waitFor(() => expect(runner.store.getState().running).toBe(false));
    expect(started).toMatchObject([
      { name: 'Base' },
      { name: 'Reward', parent: { run: 'Base', weights: 'last' } },
      { name: 'PPO', parent: { run: 'Base', weights: 'best' }, reward_model: { run: 'Reward' } },
    ]);
    expect(members().map(([, status]) => status)).toEqual(['done', 'done', 'done']);
    expect(runner.store.getState().ended).toBe('');
  });

  it('ends with a stage that fails, and says why', async () => {
    trains('Base');
    await finish(2);
    const error = { code: 'no_examples', message: 'No pairs are left.', hint: '' } as const;
    become({ phase: 'failed', error });
    expect(members()).toEqual([
      ['Base', 'done', ''],
      ['Reward', 'failed', 'No pairs are left.'],
      ['PPO', 'stopped', ''],
    ]);
    expect(runner.store.getState()).toMatchObject({
      running: false,
      ended: 'The chain ended because “Reward” failed.',
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(started).toHaveLength(2);
  });

  it('ends if a model that a stage starts from was deleted while it waited', async () => {
    trains('Base');
    await finish(2);
    trains('Reward');
    stores.library.setState({ deleted: [DELETED] });
    become({ phase: 'done', finished: 'max_iters' });
    await vi.waitFor(() => expect(runner.store.getState().running).toBe(false));
    expect(started).toHaveLength(2);
    expect(members().at(-1)).toEqual([
      'PPO',
      'failed',
      '“Base”, which it starts from, was deleted.',
    ]);
    expect(runner.store.getState().ended).toBe('The chain ended because “Base” was deleted.');
  });

  it('is cancelled: the stage that trains is stopped, and no other one starts', async () => {
    trains('Base');
    runner.cancel();
    expect(stopRun).toHaveBeenCalledOnce();
    become({ phase: 'done', finished: 'stopped' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(started).toHaveLength(1);
    expect(members().map(([, status]) => status)).toEqual(['stopped', 'stopped', 'stopped']);
    expect(runner.store.getState().ended).toBe('The chain was stopped.');
    runner.cancel();
    expect(stopRun).toHaveBeenCalledOnce();
  });

  it('continues after a stage that the user stopped, from its saved weights', async () => {
    trains('Base');
    become({ phase: 'done', finished: 'stopped' });
    await vi.waitFor(() => expect(started).toHaveLength(2));
    expect(members()[0]).toEqual(['Base', 'stopped', '']);
  });
});

describe('a recipe whose page was closed', () => {
  beforeEach(() => vi.stubGlobal('localStorage', new MemoryStorage()));
  afterEach(() => vi.unstubAllGlobals());

  /** Closes the page while the second stage trains, and opens another one. */
  const closeAtSecond = async (saved: readonly string[]) => {
    runner.start(RECIPE, SOURCE);
    started = [];
    trains('Base');
    await finish(1);
    trains('Reward');
    stores = createStores();
    const runs = saved.map((run) => ({ ...savedRun(run, null), step: 5 }));
    stores.library.setState({ runs });
    runner = new RecipeRunner({ stores, library: { list }, start, resume, train, stopRun, cancel });
    const kept = keptRecipe();
    if (!kept) throw new Error('Nothing was kept.');
    started = [];
    runner.continue(kept);
  };

  it('resumes the stage that was training, goes on with the next, and is then forgotten', async () => {
    await closeAtSecond(['Base', 'Reward']);
    expect(resume).toHaveBeenCalledWith('Reward');
    expect(started).toEqual([]);
    become({ phase: 'preparing', opening: true });
    trains('Reward');
    await finish(1);
    expect(started).toMatchObject([{ name: 'PPO', parent: { run: 'Base' } }]);
    trains('PPO');
    become({ phase: 'done', finished: 'max_iters' });
    await vi.waitFor(() => expect(runner.store.getState().running).toBe(false));
    expect(members().map(([, status]) => status)).toEqual(['done', 'done', 'done']);
    expect(keptRecipe()).toBeNull();
  });

  it('starts a stage again that had not been saved', async () => {
    await closeAtSecond(['Base']);
    expect(resume).not.toHaveBeenCalled();
    expect(started).toMatchObject([{ name: 'Reward', parent: { run: 'Base' } }]);
  });

  it('stays kept when it is stopped, and its stage is resumed although it is still open', async () => {
    await closeAtSecond(['Base', 'Reward']);
    trains('Reward');
    runner.cancel();
    become({ phase: 'done', finished: 'stopped' });
    const kept = keptRecipe();
    if (!kept) throw new Error('Nothing was kept.');
    runner.continue(kept);
    expect(resume).toHaveBeenCalledTimes(2);
    become({ phase: 'preparing', opening: true });
    expect(members().map(([, status]) => status)).toEqual(['done', 'training', 'waiting']);
    trains('Reward');
    await finish(1);
    expect(started).toMatchObject([{ name: 'PPO' }]);
  });

  it('ignores what it cannot read in storage', () => {
    localStorage.setItem('terrarium-chain', '{"name": 3}');
    expect(keptRecipe()).toBeNull();
  });
});
