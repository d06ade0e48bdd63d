/** What a run is made of, before it has a trainer. */
import type { OpenRun } from '../checkpoint/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { Event, StartMark } from '../protocol/index.ts';
import type { TrainerState } from '../train/index.ts';
import type { SessionServices } from './services.ts';
import type { PreparedText } from './text.ts';

/** The run's place in storage. */
export type RunStorage = Pick<
  OpenRun,
  'save' | 'load' | 'appendMetrics' | 'rewindMetrics' | 'readMetrics' | 'close'
>;

/** The state that a run continues from. */
export interface ResumePoint {
  state: TrainerState;
  elapsed_seconds: number;
  best_val_loss: number | null;
}

export interface RunParts {
  id: string;
  name: string;
  config: RunConfig;
  /** Name of the device's adapter: tuned kernels are kept by it. */
  adapter: string;
  text: PreparedText;
  vocab_size: number;
  storage: RunStorage;
}

/** How a run starts: from the beginning, or from a saved state. */
export interface RunStart {
  /** Null starts from randomly initialised weights. */
  from: ResumePoint | null;
  paused: boolean;
  /** Replaces the schedule of the configuration. */
  learning_rate?: number | undefined;
}

/** How a run reaches the page and the rest of the program. */
export interface RunSurroundings {
  services: SessionServices;
  emit: (event: Event) => void;
  /** Tells the page that a stage of the start is complete. */
  mark: (mark: StartMark) => void;
}
