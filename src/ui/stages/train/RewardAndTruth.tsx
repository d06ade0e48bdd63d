/** The learned and the true reward against the KL from the reference, and what they say. */
import { useRef } from 'react';
import { CartesianGrid, Line, LineChart, ReferenceDot, XAxis, YAxis } from 'recharts';
import type { StageConfig } from '../../../config/stage/index.ts';
import { count, measure } from '../../../store/index.ts';
import {
  type RewardPoint,
  rewardPoints,
  type Verdict,
  verdictOf,
} from '../../../store/stages/over_optimization.ts';
import { useChartTick } from '../../charts/clock.ts';
import { niceTicks, paddedDomain } from '../../charts/scale.ts';
import { useSize } from '../../charts/useSize.ts';
import { useClient } from '../../context.tsx';

const HEIGHT = 190;
const TICK = { fontSize: 11, fill: 'var(--muted)' };

export function RewardAndTruth({ stage }: { stage: StageConfig }) {
  const isLearned = stage.objective === 'ppo' && stage.ppo.score === 'reward_model';
  const reward = isLearned ? 'learned reward' : 'reward';
  const { table } = useClient().stores;
  const box = useRef<HTMLElement>(null);
  useChartTick(box, { version: () => table.version, interval: 1000, maxPoints: 500 });
  const points = rewardPoints(table);
  const verdict = verdictOf(points, table.get('val/true_reward_std')?.last ?? 0);
  return (
    <section ref={box} className="reward-and-truth" aria-label="Reward and truth">
      <p>
        {verdict ? verdictText(verdict, reward) : WAITING} A policy learns what its reward pays for.
        Far enough from where it started, it finds answers that please the reward and not the task:
        the {reward} still rises, and the true one falls.
      </p>
      {points.length > 0 ? (
        <div className="reward-plots">
          <RewardPlot
            title={isLearned ? 'Learned reward' : 'Reward'}
            of="learned"
            points={points}
            best={verdict?.best}
          />
          <RewardPlot title="True reward" of="truth" points={points} best={verdict?.best} />
        </div>
      ) : null}
    </section>
  );
}

const WAITING =
  'This shows evaluations of held-out answers, from the second one on, where code knows the true reward.';

function verdictText({ best, last, over }: Verdict, reward: string): string {
  const now = `${measure(last.truth)} at step ${count(last.step)}`;
  if (over) {
    return (
      `Over-optimized: the true reward was highest at step ${count(best.step)} ` +
      `(${measure(best.truth)}) and is ${now}, while the ${reward} has not fallen.`
    );
  }
  return `No over-optimization so far: the true reward is ${now}, its highest is ${measure(best.truth)}.`;
}

interface PlotProps {
  title: string;
  of: 'learned' | 'truth';
  points: readonly RewardPoint[];
  /** Where the true reward was highest. */
  best: RewardPoint | undefined;
}

/** A point per evaluation, in the order of training; against steps if there is no KL. */
function RewardPlot({ title, of, points, best }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const { width } = useSize(box);
  const hasKl = points.every(({ kl }) => kl !== null);
  const xOf = ({ kl, step }: RewardPoint): number => (hasKl ? (kl ?? NaN) : step);
  const rows = points.map((point) => ({ x: xOf(point), y: point[of] }));
  const colour = of === 'truth' ? 'var(--c-val)' : 'var(--c-train)';
  const x = domainOf(
    rows.map((row) => row.x),
    0,
  );
  const y = domainOf(rows.map((row) => row.y));
  return (
    <figure aria-label={`${title} ${hasKl ? 'against KL' : 'against steps'}`}>
      <figcaption className="small">
        {title} <span className="muted">{hasKl ? 'against KL, nats' : 'against steps'}</span>
      </figcaption>
      <div ref={box}>
        {width > 0 ? (
          <LineChart
            width={width}
            height={HEIGHT}
            data={rows}
            margin={{ top: 6, right: 12, bottom: 0, left: 0 }}
            accessibilityLayer={false}
          >
            <CartesianGrid vertical={false} stroke="var(--line)" />
            <XAxis dataKey="x" height={22} {...axis(x)} tickLine={false} stroke="var(--line)" />
            <YAxis width={46} {...axis(y)} tickLine={false} axisLine={false} />
            <Line
              dataKey="y"
              stroke={colour}
              strokeWidth={1.6}
              dot={{ r: 3, fill: colour, strokeWidth: 0 }}
              isAnimationActive={false}
              activeDot={false}
            />
            {best ? (
              <ReferenceDot
                x={xOf(best)}
                y={best[of]}
                r={6}
                fill="none"
                stroke="var(--ink)"
                strokeWidth={1.5}
              />
            ) : null}
          </LineChart>
        ) : null}
      </div>
    </figure>
  );
}

function domainOf(values: readonly number[], floor?: number): [number, number] {
  const options = { references: [], log: false };
  const extent = [Math.min(...values), Math.max(...values)] as const;
  return paddedDomain(extent, floor === undefined ? options : { ...options, floor });
}

const axis = (domain: [number, number]) =>
  ({
    type: 'number',
    domain,
    tick: TICK,
    ticks: niceTicks(domain, { log: false, maxTicks: 5 }),
    tickFormatter: measure,
    allowDataOverflow: true,
  }) as const;
