/** What a step of the mesh costs: time by what it is spent on, and bytes by collective. */
import {
  countRankParameters,
  globalBatchSize,
  linkSeconds,
  type MeshPlan,
  type RankPlan,
  rankParameters,
  type StepTime,
  worldSize,
} from '../../plan/parallel/index.ts';
import { bytes, compact, count, measure, percent } from '../../store/index.ts';
import type { Planned } from './planned.ts';
import { COLLECTIVE_LABELS, flopText, GROUP_LABELS, seconds } from './words.ts';

const PARTS: readonly { part: keyof StepTime; label: string; colour: string }[] = [
  { part: 'compute', label: 'Compute', colour: 'var(--c-train)' },
  { part: 'bubble', label: 'Bubble', colour: 'var(--c-over-1)' },
  { part: 'tensor', label: 'TP collectives', colour: 'var(--c-val)' },
  { part: 'pipeline', label: 'PP sends', colour: 'var(--c-lr)' },
  { part: 'data', label: 'DP collectives, not hidden', colour: 'var(--c-grad)' },
];

interface CostProps {
  planned: Planned;
  plan: MeshPlan;
}

export function MeshCosts({ planned, plan }: CostProps) {
  const { model, training } = planned.job;
  const { time, mesh } = plan;
  const tokens = globalBatchSize(training) * model.block_size;
  const flops = plan.ranks.reduce((sum, rank) => sum + rank.flops, 0) * mesh.dp * mesh.tp;
  const [first] = plan.ranks;
  const rankParameterCount = countRankParameters(rankParameters(model, mesh, first?.pp_rank ?? 0));
  return (
    <section className="plan-costs" aria-label="A step">
      <h2>A step</h2>
      <dl className="facts" data-testid="plan-facts">
        <Fact name="Time of a step" value={seconds(time.total)} />
        <Fact name="Tokens a second" value={measure(tokens / time.total)} />
        <Fact name="FLOPs of a step" value={flopText(flops)} />
        <Fact name="Parameters of a rank" value={compact(rankParameterCount)} />
        <Fact name="Memory of all ranks" value={bytes(memoryOfAll(plan))} />
        <Fact name="Bubble, (p−1)/(vm+p−1)" value={percent(plan.bubble, 1)} />
        <Fact name="Sent by a rank" value={bytes(plan.bytes_sent)} />
      </dl>
      <TimeBar time={time} />
      <TrafficTable rank={busiest(plan)} planned={planned} isOneOfMany={mesh.pp > 1} />
      {worldSize(mesh) === 1 ? (
        <p className="small muted">One rank sends nothing. Add ranks to the mesh to see more.</p>
      ) : null}
    </section>
  );
}

const memoryOfAll = ({ mesh, ranks }: MeshPlan): number =>
  mesh.dp * mesh.tp * ranks.reduce((sum, { memory }) => sum + memory.total, 0);

const busiest = ({ ranks }: MeshPlan): RankPlan | undefined =>
  [...ranks].sort((a, b) => b.bytes_sent - a.bytes_sent)[0];

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function TimeBar({ time }: { time: StepTime }) {
  const shown = PARTS.filter(({ part }) => time[part] > 0);
  return (
    <>
      <div
        className="plan-bar-track"
        role="img"
        aria-label={shown.map(({ part, label }) => `${label} ${seconds(time[part])}`).join(', ')}
      >
        {shown.map(({ part, label, colour }) => (
          <i
            key={part}
            title={`${label} ${seconds(time[part])}`}
            style={{ width: `${(100 * time[part]) / time.total}%`, background: colour }}
          />
        ))}
      </div>
      <ul className="memory-legend plan-legend">
        {shown.map(({ part, label, colour }) => (
          <li key={part}>
            <i style={{ background: colour }} />
            {label} <b>{seconds(time[part])}</b>
          </li>
        ))}
      </ul>
    </>
  );
}

interface TrafficProps {
  rank: RankPlan | undefined;
  planned: Planned;
  isOneOfMany: boolean;
}

function TrafficTable({ rank, planned, isOneOfMany }: TrafficProps) {
  if (!rank || rank.traffic.length === 0) return null;
  return (
    <div className="plan-scroll">
      <table className="plan-table" data-testid="plan-traffic">
        <caption className="small muted">
          {isOneOfMany
            ? `Sent in a step by a rank of stage ${rank.pp_rank + 1}`
            : 'Sent in a step by a rank'}
        </caption>
        <thead>
          <tr>
            <th>Collective</th>
            <th>Bytes</th>
            <th>Messages</th>
            <th>Time on the link</th>
          </tr>
        </thead>
        <tbody>
          {rank.traffic.map((entry) => (
            <tr key={`${entry.group} ${entry.kind} ${entry.what}`}>
              <th scope="row">
                {GROUP_LABELS[entry.group]} {COLLECTIVE_LABELS[entry.kind]}: {entry.what}
              </th>
              <td>{bytes(entry.bytes)}</td>
              <td>{count(entry.messages)}</td>
              <td>{seconds(linkSeconds([entry], planned.speeds.link))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
