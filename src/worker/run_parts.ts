/** What a run is made of, before it has a trainer. */
import type { OpenRun, RunStore } from '../checkpoint/index.ts';
import type { Lineage } from '../common/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { Event, RestoredRun, StartMark } from '../protocol/index.ts';
import type { SettledRun } from '../run/index.ts';
import type { TrainerState } from '../train/index.ts';
import type { SessionServices } from './services.ts';
import type { PreparedText } from './prepared_text.ts';

/** The state that a run starts from. */
export interface StartingPoint {
  state: TrainerState;
  elapsed_seconds: number;
  best_val_loss: number | null;
  /** Evaluations since the last one that counted as better, for early stopping. */
  stale_evaluations?: number;
}

export interface RunParts {
  id: string;
  name: string;
  /** Name of the device's adapter: tuned kernels are stored under it. */
  adapter: string;
  settled: SettledRun;
  objective: Objective;
  lineage: Lineage;
  text: PreparedText;
  /** The run's place in storage. */
  storage: OpenRun;
}

export interface RunStart {
  /** Null starts from randomly initialised weights. */
  from: StartingPoint | null;
  /** Storage has a checkpoint of `from`, to resume and to recover from. */
  stored: boolean;
  paused: boolean;
  /** What the page gets back of a run that was opened again. */
  restored?: RestoredRun | null;
}

/** How a run reaches the page and the rest of the program. */
export interface RunSurroundings {
  services: SessionServices;
  emit: (event: Event) => void;
  /** Reports to the page that a stage of the start is complete. */
  mark: (mark: StartMark) => void;
}

/** The same with the library of runs. */
export interface StorageContext extends RunSurroundings {
  storage(): Promise<RunStore>;
}
