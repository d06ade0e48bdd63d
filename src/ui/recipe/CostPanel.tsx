/**
 * What the recipe costs, before anything runs: parameters, work a token, memory by kind against the
 * device.
 */
import { bytes, compact, count, percent } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { usePlan, useProblems } from './problems.ts';

const KINDS = [
  ['weights', 'Weights', 'var(--c-train)'],
  ['gradients', 'Gradients', 'var(--c-speed)'],
  ['optimizer', 'Optimizer', 'var(--c-grad)'],
  ['activations', 'Activations', 'var(--c-val)'],
  ['logits', 'Logits', 'var(--c-lr)'],
  ['rest', 'Other', 'var(--c-heap)'],
] as const;

export function CostPanel() {
  const { plan, data } = usePlan();
  const memory = useRun((state) => state.device?.memory_bytes ?? null);
  const { memory: need } = plan;
  const amounts = { ...need, rest: need.inputs + need.cache };
  const whole = Math.max(need.total, memory ?? need.total);
  const first = useProblems()[0];
  return (
    <section className="cost" aria-label="What this costs" data-testid="cost">
      <dl>
        <div>
          <dt>Parameters</dt>
          <dd>
            <b>{compact(plan.n_params)}</b>
            <span>{smallShare(plan.gpt2_small_share)} of GPT-2 small</span>
          </dd>
        </div>
        <div>
          <dt>FLOPs a token</dt>
          <dd>
            <b>{compact(plan.flops_per_token)}</b>
            <span>{count(plan.tokens_per_step)} tokens a step</span>
          </dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd>
            <b>{bytes(need.total)}</b>
            <span>{memory === null ? 'planned' : `of ${bytes(memory)}`}</span>
          </dd>
        </div>
      </dl>
      <div
        className="memory-bar"
        role="img"
        aria-label={KINDS.map(([kind, label]) => `${label} ${bytes(amounts[kind])}`).join(', ')}
      >
        {KINDS.map(([kind, label, colour]) => (
          <i
            key={kind}
            title={`${label}: ${bytes(amounts[kind])}`}
            style={{ width: `${(100 * amounts[kind]) / whole}%`, background: colour }}
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
      {data ? null : (
        <p className="small muted">With a guess of the vocabulary until the text has been read.</p>
      )}
      {first ? (
        <p className="field-problem" role="alert">
          {first.message} {first.hint}
        </p>
      ) : null}
    </section>
  );
}

const smallShare = (share: number): string =>
  share >= 0.1 ? percent(share) : share >= 0.001 ? percent(share, 1) : percent(share, 2);
