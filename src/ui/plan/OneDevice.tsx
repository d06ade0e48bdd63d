/** What a model takes on one device: weights, all state, and activations with and without recomputation. */
import { countParameters } from '../../plan/index.ts';
import {
  bytesPerParameter,
  type Job,
  ONE_RANK,
  rankMemory,
  type RankMemory,
  RECOMPUTE_GRANULARITIES,
  type RecomputeGranularity,
} from '../../plan/parallel/index.ts';
import { bytes, compact, count } from '../../store/index.ts';
import { RECOMPUTE_LABELS } from './words.ts';

/** The round number that "7B" stands for. */
const SEVEN_BILLION = 7e9;

interface OneDeviceProps {
  job: Job;
  /** Whether "What would 7B take?" was asked, whose answer begins with the round numbers. */
  isSevenB: boolean;
}

export function OneDevice({ job, isSevenB }: OneDeviceProps) {
  const { model, training } = job;
  const parameters = countParameters(model).total;
  const { weight, gradient, master } = bytesPerParameter(training.precision);
  const memory = memoryOfOne(job, 'none');
  const state = memory.weights + memory.gradients + memory.optimizer;
  const moments = (memory.optimizer - master * parameters) / parameters;
  return (
    <section className="plan-one" aria-label="On one device" data-testid="plan-one">
      <h2>On one device</h2>
      {isSevenB ? <SevenB /> : null}
      <p>
        {compact(parameters)} parameters: {bytes(memory.weights)} of weights, and with gradients and
        the optimizer {bytes(state)}: {weight} + {gradient}
        {master > 0 ? ` + ${master}` : ''} + {Number(moments.toFixed(2))} bytes a parameter. One
        sequence of {count(model.block_size)} tokens keeps in activations:
      </p>
      <ul>
        {RECOMPUTE_GRANULARITIES.map((granularity) => (
          <li key={granularity}>
            <b>{bytes(memoryOfOne(job, granularity).activations)}</b> if a step recomputes{' '}
            {RECOMPUTE_LABELS[granularity]}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Memory of one rank with micro-batches of one sequence. */
function memoryOfOne({ model, training }: Job, recompute: RecomputeGranularity): RankMemory {
  const changed = { ...training, batch_size: 1, recompute_granularity: recompute };
  return rankMemory(model, changed, { mesh: ONE_RANK, pp_rank: 0 });
}

function SevenB() {
  const { weight, gradient, master, moment } = bytesPerParameter('mixed');
  const total = weight + gradient + master + 2 * moment;
  return (
    <p data-testid="seven-b">
      Seven billion parameters take <b>{bytes(weight * SEVEN_BILLION)}</b> as float16 weights, and{' '}
      <b>{bytes(total * SEVEN_BILLION)}</b> with gradients, float32 master weights and Adam&apos;s
      two moments ({weight} + {gradient} + {master} + {2 * moment} bytes each), before any
      activation. Llama 2 7B has slightly fewer:
    </p>
  );
}
