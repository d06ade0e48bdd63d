/** What the measurements of an evaluation have in common. */
import type { EvaluationSettings } from '../../common/index.ts';
import type { CheckedReward } from '../../data/index.ts';
import type { StorageContext } from '../run_parts.ts';
import type { OpenModel } from './open_model.ts';
import type { SampledAnswer } from './sampling.ts';
import type { Items } from './task_items.ts';

export interface EvaluatedModels {
  model: OpenModel;
  parent: OpenModel | null;
  reward_model: OpenModel | null;
  context: Pick<StorageContext, 'storage' | 'emit'>;
  /** The page has cancelled the evaluation. */
  stopped: () => boolean;
}

/** What the measurements have in common. */
export interface Measuring extends EvaluatedModels {
  items: Items;
  settings: EvaluationSettings;
  true_reward: CheckedReward;
  notes: string[];
  /** Answers that are sampled once for all measurements, by model and temperature. */
  sampled: (model: OpenModel, temperature: number) => Promise<readonly SampledAnswer[]>;
  /** Tells the page, and throws if the evaluation was cancelled. */
  progress: (of: string, done: number, total: number) => void;
  /** The same before a batch of rows. */
  before: (of: string, total: number) => (done: number) => Promise<void>;
}
