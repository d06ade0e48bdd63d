/** The plan of the panel's choices, for its components. */
import { useMemo } from 'react';
import { useLibrary, useRun } from '../context.tsx';
import { useSettledRun } from '../recipe/useSettledRun.ts';
import { type Planned, planOf, type Surroundings } from './planned.ts';
import { usePlanning } from './planning.ts';

/** What the panel knows of the page: the recipe, saved runs and this device. */
export function useSurroundings(): Surroundings {
  const { config, model } = useSettledRun();
  const runs = useLibrary((state) => state.runs);
  const bytes_here = useRun((state) => state.device?.memory_bytes ?? null);
  const speed_here = useRun((state) => state.calibration);
  return useMemo(
    () => ({ recipe: { config, model }, runs, bytes_here, speed_here }),
    [config, model, runs, bytes_here, speed_here],
  );
}

export function usePlanned(around: Surroundings): Planned {
  const planning = usePlanning();
  return useMemo(() => planOf(planning, around), [planning, around]);
}
