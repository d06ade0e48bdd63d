/** The cost of the recipe: parameters, FLOPs per token, and planned memory by kind. */
import { Button } from '@mantine/core';
import { PRESETS, type RunConfig } from '../../config/index.ts';
import { bytes, compact, count, percent, takeSmaller, timeHere } from '../../store/index.ts';
import type { RunPlan } from '../../plan/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { useSecondsHere, useSmallerRun } from '../useTimeHere.ts';
import { useDataSummary, useSettledRun } from './useSettledRun.ts';

const KINDS = [
  ['weights', 'Weights', 'var(--c-train)'],
  ['gradients', 'Gradients', 'var(--c-speed)'],
  ['optimizer', 'Optimizer', 'var(--c-grad)'],
  ['activations', 'Activations', 'var(--c-val)'],
  ['logits', 'Logits', 'var(--c-lr)'],
  ['rest', 'Other', 'var(--c-heap)'],
] as const;

/** The preset that a slow device manages. */
const FASTEST = PRESETS[0]?.title ?? null;

export function CostPanel() {
  const { config, plan, problems } = useSettledRun();
  const seconds = useSecondsHere(config, plan);
  const data = useDataSummary();
  const [problem] = problems;
  return (
    <section className="cost" aria-label="Cost" data-testid="cost">
      <CostFacts plan={plan} time={timeHere(seconds, FASTEST)} />
      <MemoryBar memory={plan.memory} />
      <SmallerSize config={config} seconds={seconds} />
      {data ? null : <p className="small muted">Estimated until the text is loaded.</p>}
      {problem ? (
        <p className="field-problem" role="alert">
          {problem.message} {problem.hint}
        </p>
      ) : null}
    </section>
  );
}

interface SmallerSizeProps {
  config: RunConfig;
  /** Of the recipe as it is. */
  seconds: number | null;
}

/** Offers a size that this device trains in a lesson. */
function SmallerSize({ config, seconds }: SmallerSizeProps) {
  const { form } = useClient().stores;
  const isLesson = useForm((state) => state.lesson !== null);
  const smaller = useSmallerRun(config, seconds);
  if (!smaller || isLesson) return null;
  const { model, training } = smaller.config;
  return (
    <p className="small" data-testid="smaller-size">
      That is long for this device. With {model.n_layer} layers of width {model.n_embd}, a context
      of {model.block_size} and {count(training.max_iters)} steps it takes{' '}
      {timeHere(smaller.seconds, null)}.{' '}
      <Button size="compact-xs" variant="default" onClick={() => takeSmaller(form)}>
        Use the smaller size
      </Button>
    </p>
  );
}

function CostFacts({ plan, time }: { plan: RunPlan; time: string }) {
  const available = useRun((state) => state.device?.memory_bytes ?? null);
  return (
    <dl>
      <div>
        <dt>Time here</dt>
        <dd>
          <b data-testid="time-here">{time}</b>
        </dd>
      </div>
      <div>
        <dt>Parameters</dt>
        <dd>
          <b>{compact(plan.n_params)}</b>
          <span>{shareText(plan.gpt2_small_share)} of GPT-2 small</span>
        </dd>
      </div>
      <div>
        <dt>FLOPs per token</dt>
        <dd>
          <b>{compact(plan.flops_per_token)}</b>
          <span>{count(plan.tokens_per_step)} tokens per step</span>
        </dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>
          <b>{bytes(plan.memory.total)}</b>
          <span>{available === null ? 'planned' : `of ${bytes(available)}`}</span>
        </dd>
      </div>
    </dl>
  );
}

function MemoryBar({ memory }: { memory: RunPlan['memory'] }) {
  const available = useRun((state) => state.device?.memory_bytes ?? null);
  const amounts = { ...memory, rest: memory.inputs + memory.cache };
  // A plan that exceeds the device fills the bar.
  const fullWidth = Math.max(memory.total, available ?? 0);
  return (
    <>
      <div
        className="memory-bar"
        role="img"
        aria-label={KINDS.map(([kind, label]) => `${label} ${bytes(amounts[kind])}`).join(', ')}
      >
        {KINDS.map(([kind, label, colour]) => (
          <i
            key={kind}
            title={`${label}: ${bytes(amounts[kind])}`}
            style={{ width: `${(100 * amounts[kind]) / fullWidth}%`, background: colour }}
          />
        ))}
      </div>
      <ul className="memory-legend" aria-hidden>
        {KINDS.map(([kind, label, colour]) => (
          <li key={kind} title={kind === 'rest' ? 'Batches and the key/value cache' : undefined}>
            <i style={{ background: colour }} />
            {label} <b>{bytes(amounts[kind])}</b>
          </li>
        ))}
      </ul>
    </>
  );
}

/** A percentage with about two significant digits. */
function shareText(share: number): string {
  if (share >= 0.1) return percent(share);
  return percent(share, share >= 0.001 ? 1 : 2);
}
