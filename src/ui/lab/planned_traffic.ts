/** Which step's traffic is planned, and what to know of it. Pure functions. */
import { bytes, measure, type Series } from '../../store/index.ts';
import { answerLength } from '../../config/stage/index.ts';
import {
  bytesOfAll,
  phaseOf,
  type StepKind,
  stepKind,
  type StepTraffic,
  type TakenStep,
  trafficOfAll,
  type TrafficRun,
} from '../../plan/parallel/index.ts';
import { allBytes } from './measured.ts';

export interface PlannedStep {
  traffic: readonly StepTraffic[];
  /** Sentences on what the step is, and on how others differ. */
  notes: string;
}

/** A step that was taken, or null for the first one of a run, whose answers are as long as may be. */
export function plannedStep(run: TrafficRun, taken: TakenStep | null): PlannedStep {
  const { stage, training } = run;
  const kind = stepKind(stage, training, taken ?? FIRST);
  return { traffic: trafficOfAll(run, kind), notes: notesOn(run, kind) };
}

/** Bytes of all ranks together, by purpose and kind of collective, in the order of a step. */
export function purposesOf(traffic: readonly StepTraffic[]): StepTraffic[] {
  const purposes = new Map<string, StepTraffic>();
  for (const one of traffic) {
    const key = `${one.kind} ${one.what}`;
    const before = purposes.get(key)?.bytes ?? 0;
    purposes.set(key, { ...one, bytes: before + one.bytes });
  }
  return [...purposes.values()];
}

/** The value of a series at a step; undefined if it has none. */
export function valueAt(
  series: Pick<Series, 'step' | 'value'> | undefined,
  step: number,
): number | undefined {
  const index = series?.step.lastIndexOf(step) ?? -1;
  return index < 0 ? undefined : series?.value[index];
}

/** Without pairs, because how many there are is not known before ranks have them. */
const FIRST: TakenStep = { step: 0, first_step: 0, train_pairs: 0 };

function notesOn(run: TrafficRun, kind: StepKind): string {
  switch (run.stage?.objective) {
    case 'grpo':
    case 'ppo':
      return samplingNotes(run, kind);
    case 'dpo':
      return pairNotes(run, kind);
    default:
      return '';
  }
}

const sent = (run: TrafficRun, kind: StepKind): string =>
  bytes(allBytes(bytesOfAll(trafficOfAll(run, kind))));

function samplingNotes(run: TrafficRun, { samples, answer_tokens }: StepKind): string {
  const { steps } = phaseOf(run.stage);
  const longest = (run.stage && answerLength(run.stage)) ?? 0;
  if (!samples)
    return (
      'This step learned from answers of an earlier one. A step that samples and scores answers ' +
      `sends up to ${sent(run, { samples: true })}.`
    );
  const lengths =
    answer_tokens === undefined
      ? `planned with answers of ${longest} tokens, the longest that are allowed, an upper bound`
      : `planned with their mean length, ${measure(answer_tokens)} tokens`;
  const others =
    steps > 1 ? ` The other ${steps - 1} of ${steps} steps send ${sent(run, OTHER)}.` : '';
  return `This step samples answers and scores them, ${lengths}.${others}`;
}

const OTHER: StepKind = { samples: false };

function pairNotes(run: TrafficRun, { new_batches = 0 }: StepKind): string {
  const { gradient_accumulation_steps: all } = run.training;
  const with_all = sent(run, { samples: false, new_batches: all });
  if (new_batches === 0)
    return `A step that meets pairs for the first time sends ${with_all}, since the reference scores them.`;
  return `The reference scores the pairs that this step meets for the first time; later ones send ${sent(run, OTHER)}.`;
}
