/**
 * What a session needs from the rest of the program, in one object, so that a test can replace any
 * part of it.
 */
import { changeThreads, deviceMemory, loseDevice, tryBackends } from '../backend/index.ts';
import { openRunStore, type RunStore } from '../checkpoint/index.ts';
import type { MetricRow } from '../common/index.ts';
import type { Generator } from '../model/index.ts';
import { findObjective } from '../objectives/index.ts';
import { Trainer, type TrainerOptions } from '../train/index.ts';
import type { LoopTrainer } from '../train/loop.ts';
import type { OtherGenerator } from '../train/other_weights.ts';
import { calibrate } from './calibrate.ts';
import type { compareRow } from './compare.ts';
import type { ProfiledTrainer } from './profile.ts';
import { setTunedProducts, tuneInPause } from './tuned.ts';

/** What a run needs of a Trainer. */
export type RunTrainer = LoopTrainer &
  ProfiledTrainer &
  Pick<
    Trainer,
    | 'n_params'
    | 'precision'
    | 'lr_multiplier'
    | 'state'
    | 'inspect'
    | 'takeNotice'
    | 'takeRollouts'
    | 'readParameters'
    | 'writeParameters'
    | 'moveTo'
    | 'dispose'
  > & {
    generation(): Promise<Pick<Generator, 'generateRows'>>;
    generationOf(parameters: ReadonlyMap<string, Float32Array>): Promise<OtherGenerator>;
  };

export interface SessionServices {
  tryBackends: typeof tryBackends;
  changeThreads: typeof changeThreads;
  loseDevice: typeof loseDevice;
  /** How long work on a lost device may take to fail by itself, ms. Some calls never return there. */
  loss_grace_ms: number;
  openRunStore(): Promise<RunStore>;
  createTrainer(options: TrainerOptions): Promise<RunTrainer>;
  setTunedProducts: typeof setTunedProducts;
  tuneInPause: typeof tuneInPause;
  calibrate: typeof calibrate;
  compareRow: typeof compareRow;
  /** Why float16 cannot be used on the open WebGPU device, one sentence; null if it can. */
  float16UnsupportedReason(): Promise<string | null>;
  findObjective: typeof findObjective;
  /** Memory in use now, as metrics; the worker cannot measure its JavaScript heap. */
  measureMemory(): Partial<MetricRow>;
}

export const SERVICES: SessionServices = {
  tryBackends,
  changeThreads,
  loseDevice,
  loss_grace_ms: 3000,
  openRunStore: () => openRunStore(),
  createTrainer: (options) => Trainer.create(options),
  setTunedProducts,
  tuneInPause,
  calibrate,
  compareRow: async (request) => (await import('./compare.ts')).compareRow(request),
  float16UnsupportedReason: async () => {
    const { float16UnsupportedReason } = await import('../backend/float16_check.ts');
    return float16UnsupportedReason();
  },
  findObjective,
  measureMemory: () => {
    const memory = deviceMemory();
    if (!memory) return {};
    return { gpu_bytes: memory.allocated, gpu_live_bytes: memory.live };
  },
};
