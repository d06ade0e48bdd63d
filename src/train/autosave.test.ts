import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import { Autosave, isAutosaveDue, type SinceSave } from './autosave.ts';

const MINUTE = 60_000;

function due(
  interval: number,
  max_iters: number,
  { steps, milliseconds = 1000, save_milliseconds = 10 }: Partial<SinceSave> & { steps: number },
): boolean {
  return isAutosaveDue(configOf(interval, max_iters), { steps, milliseconds, save_milliseconds });
}

function configOf(interval: number, max_iters: number) {
  const config = defaultConfig();
  config.runtime.autosave_interval = interval;
  config.training.max_iters = max_iters;
  return config;
}

describe('a run is saved by itself', () => {
  it('after each interval, however long a save takes', () => {
    expect(due(250, 5000, { steps: 249 })).toBe(false);
    expect(due(250, 5000, { steps: 250, save_milliseconds: MINUTE })).toBe(true);
  });

  it('after each fifth of a run that is shorter than five intervals', () => {
    expect(due(250, 200, { steps: 39 })).toBe(false);
    expect(due(250, 200, { steps: 40 })).toBe(true);
    expect(due(250, 203, { steps: 40 })).toBe(false);
    expect(due(250, 203, { steps: 41 })).toBe(true);
    expect(due(250, 1249, { steps: 249 })).toBe(false);
  });

  it('after a minute of steps, however few', () => {
    expect(due(250, 5000, { steps: 1, milliseconds: MINUTE - 1 })).toBe(false);
    expect(due(250, 5000, { steps: 1, milliseconds: MINUTE })).toBe(true);
  });

  it('earlier than its interval only 20 times as long after a save as that took', () => {
    const save_milliseconds = 4000;
    const soon = { milliseconds: 79_999, save_milliseconds };
    const later = { milliseconds: 80_000, save_milliseconds };
    for (const steps of [3, 40]) {
      expect(due(250, 200, { steps, ...soon })).toBe(false);
      expect(due(250, 200, { steps, ...later })).toBe(true);
    }
  });

  it('never with an interval of 0, and never without new steps', () => {
    expect(due(0, 200, { steps: 200, milliseconds: 100 * MINUTE })).toBe(false);
    expect(due(250, 200, { steps: 0, milliseconds: 100 * MINUTE })).toBe(false);
  });
});

describe('the time since a save', () => {
  const config = configOf(250, 5000);

  it('counts from the end of the latest one, whether or not it succeeded', async () => {
    let now = 0;
    const autosave = new Autosave(10, () => now);
    now = MINUTE;
    expect(autosave.isDue({ config, step: 10 }, 10)).toBe(false);
    expect(autosave.isDue({ config, step: 11 }, 10)).toBe(true);
    await autosave.during(11, async () => void (now += 5000));
    now += MINUTE;
    expect(autosave.isDue({ config, step: 12 }, 10)).toBe(false);
    now += 40_000;
    expect(autosave.isDue({ config, step: 12 }, 10)).toBe(true);
    autosave.skipped(12);
    expect(autosave.isDue({ config, step: 13 }, 10)).toBe(false);
  });

  it('counts steps from a save that the user asked for', () => {
    const autosave = new Autosave(0, () => 0);
    expect(autosave.isDue({ config, step: 250 }, 1)).toBe(false);
    expect(autosave.isDue({ config, step: 251 }, 1)).toBe(true);
  });
});
