/** The latest step on a timeline of ranks, or the schedule before there is one. */
import { bubbleFraction } from '../../plan/parallel/index.ts';
import { count, measure, percent } from '../../store/index.ts';
import { type RankStep, SPAN_KINDS, type SpanKind } from '../../store/lab/index.ts';
import { useLab } from './lab.ts';
import { bubbleOf, meanOf, overlapOf, timeByKind } from './measured.ts';
import { bucketOverlap, laidOutBubble, reducesDuringPass } from './schedule_measures.ts';
import { measuredTimeline, plannedTimeline } from './timeline.ts';
import { TimelineLegend, TimelinePicture } from './TimelinePicture.tsx';
import type { ShownRun } from './useLabRun.ts';
import { SPAN_LABELS } from './words.ts';

export function TimelinePart({ run }: { run: ShownRun }) {
  const recent = useLab((state) => state.recent);
  const latest = run.isMeasured ? recent.at(-1) : undefined;
  return (
    <section aria-label="Timeline of ranks" data-testid="lab-timeline">
      <h2>{latest ? `Step ${count(latest[0]?.step ?? 0)} of each rank` : 'A step of each rank'}</h2>
      {latest ? <Measured latest={latest} recent={recent} run={run} /> : <Scheduled run={run} />}
    </section>
  );
}

function Scheduled({ run: { mesh, training } }: { run: ShownRun }) {
  const { gradient_accumulation_steps: microbatches } = training;
  if (mesh.pp === 1)
    return (
      <p className="small muted">
        Without a pipeline all ranks compute at the same time. How long they do, send and wait is
        drawn here from the first step on.
      </p>
    );
  const bubble = bubbleFraction(mesh, microbatches);
  return (
    <>
      <TimelinePicture
        timeline={plannedTimeline(mesh, microbatches)}
        unit="forward passes"
        label={`Schedule of ${mesh.pp} stages and ${microbatches} micro-batches`}
      />
      <TimelineLegend kinds={['forward', 'backward']} />
      <p className="small">
        As scheduled, if messages took no time: {percent(bubble, 1)} of the step is bubble,{' '}
        {bubbleFormula(mesh)}.{' '}
        {microbatches < 2 * mesh.pp ? 'More micro-batches make it smaller.' : ''}
      </p>
    </>
  );
}

const bubbleFormula = ({ schedule }: ShownRun['mesh']): string =>
  schedule === 'interleaved' ? '(p−1)/(vm+p−1)' : '(p−1)/(m+p−1)';

interface MeasuredProps {
  latest: readonly RankStep[];
  recent: readonly (readonly RankStep[])[];
  run: ShownRun;
}

function Measured({ latest, recent, run: { mesh, training } }: MeasuredProps) {
  const timeline = measuredTimeline(latest);
  const kinds = SPAN_KINDS.filter((kind) =>
    latest.some(({ spans }) => spans.some((span) => span.kind === kind)),
  );
  return (
    <>
      <TimelinePicture
        timeline={timeline}
        unit="ms"
        label={`Timeline of ${latest.length} ranks, ${measure(timeline.duration)} ms; below in numbers`}
      />
      <TimelineLegend kinds={kinds} />
      <Facts recent={recent} mesh={mesh} micro_batches={training.gradient_accumulation_steps} />
      <TimeTable latest={latest} kinds={kinds} />
    </>
  );
}

interface FactsProps {
  recent: MeasuredProps['recent'];
  mesh: ShownRun['mesh'];
  micro_batches: number;
}

/** Bubble and overlap, means of the latest steps, each beside its formula. */
function Facts({ recent, mesh, micro_batches }: FactsProps) {
  const bubble = meanOf(recent, bubbleOf);
  const laidOut = meanOf(recent, (step) => laidOutBubble(step, mesh, micro_batches));
  const overlapped = reducesDuringPass(mesh) ? recent : [];
  const hidden = meanOf(overlapped, (step) => bucketOverlap(step)?.measured ?? null);
  const hidable = meanOf(overlapped, (step) => bucketOverlap(step)?.formula ?? null);
  const overlap = meanOf(recent, overlapOf);
  return (
    <dl className="facts" data-testid="lab-measured">
      {mesh.pp > 1 && bubble !== null ? (
        <div>
          <dt>Bubble, mean of {recent.length} steps</dt>
          <dd>
            {percent(bubble, 1)}; {bubbleFormula(mesh)} ={' '}
            {percent(bubbleFraction(mesh, micro_batches), 1)}
            {laidOut === null ? '' : `; ${percent(laidOut, 1)} if messages took no time`}
          </dd>
        </div>
      ) : null}
      {hidden === null || hidable === null ? null : (
        <div>
          <dt>Reduction of gradients that the pass hides</dt>
          <dd>
            {percent(hidden)}; by bytes, all but the last bucket: {percent(hidable)}
          </dd>
        </div>
      )}
      {overlap === null ? null : (
        <div>
          <dt>All communication during the passes</dt>
          <dd>{percent(overlap)}</dd>
        </div>
      )}
    </dl>
  );
}

function TimeTable({ latest, kinds }: { latest: readonly RankStep[]; kinds: readonly SpanKind[] }) {
  return (
    <details className="lab-numbers">
      <summary className="small">The timeline in numbers</summary>
      <div className="plan-scroll">
        <table className="plan-table">
          <caption className="small muted">
            Milliseconds of the step; what overlaps counts twice
          </caption>
          <thead>
            <tr>
              <th scope="col">Rank</th>
              {kinds.map((kind) => (
                <th key={kind} scope="col">
                  {SPAN_LABELS[kind].label}
                </th>
              ))}
              <th scope="col">Step</th>
            </tr>
          </thead>
          <tbody>
            {latest.map(({ rank, spans, ms }) => {
              const time = timeByKind(spans);
              return (
                <tr key={rank}>
                  <th scope="row">{rank}</th>
                  {kinds.map((kind) => (
                    <td key={kind}>{measure(time[kind] ?? 0)}</td>
                  ))}
                  <td>{measure(ms)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </details>
  );
}
