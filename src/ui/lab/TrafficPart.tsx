/** What the ranks send in a step, by kind of collective, beside the formulas. */
import { useMemo } from 'react';
import { bytesOfAll } from '../../plan/parallel/index.ts';
import { bytes, percent } from '../../store/index.ts';
import { ANSWER_LENGTH, COLLECTIVES, type CollectiveKind } from '../../store/lab/index.ts';
import { useLab, useLabClient } from './lab.ts';
import { allBytes, type BytesByKind, sentInStep } from './measured.ts';
import { plannedStep, type PlannedStep, purposesOf, valueAt } from './planned_traffic.ts';
import type { ShownRun } from './useLabRun.ts';

const LABELS: Readonly<Record<CollectiveKind, { label: string; colour: string }>> = {
  all_reduce: { label: 'all-reduce', colour: 'var(--c-val)' },
  reduce_scatter: { label: 'reduce-scatter', colour: 'var(--c-speed)' },
  all_gather: { label: 'all-gather', colour: 'var(--c-train)' },
  broadcast: { label: 'broadcast', colour: 'var(--c-gpu)' },
  send_recv: { label: 'send and receive', colour: 'var(--c-grad)' },
};

export function TrafficPart({ run }: { run: ShownRun }) {
  const latest = useLab((state) => state.recent.at(-1));
  const { traffic, notes } = usePlannedStep(run);
  const planned = bytesOfAll(traffic);
  const measured = run.isMeasured && latest ? sentInStep(latest) : null;
  if (run.planned.length < 2) return null;
  const used = COLLECTIVES.filter((kind) => planned[kind] > 0 || (measured?.[kind] ?? 0) > 0);
  const width = Math.max(1, ...[planned, measured].map((sent) => (sent ? allBytes(sent) : 0)));
  return (
    <section aria-label="Bytes sent in a step" data-testid="lab-traffic">
      <h2>Sent in a step, by all ranks</h2>
      {measured ? <Bar title="measured" sent={measured} width={width} /> : null}
      <Bar title="planned" sent={planned} width={width} />
      <div className="plan-scroll">
        <table className="plan-table">
          <thead>
            <tr>
              <th scope="col">Collective</th>
              <th scope="col">Measured</th>
              <th scope="col">Formula</th>
              <th scope="col">Difference</th>
            </tr>
          </thead>
          <tbody>
            {used.map((kind) => (
              <tr key={kind}>
                <th scope="row">
                  <Key kind={kind} /> {LABELS[kind].label}
                </th>
                <Numbers measured={measured?.[kind]} planned={planned[kind]} />
              </tr>
            ))}
            <tr>
              <th scope="row">All</th>
              <Numbers
                measured={measured ? allBytes(measured) : undefined}
                planned={allBytes(planned)}
              />
            </tr>
          </tbody>
        </table>
      </div>
      <Purposes traffic={traffic} />
      <p className="small muted">
        Every collective goes through the host: buffers of two devices cannot be shared, so their
        bytes are read, sent as a message and written again. An all-reduce of gradients is counted
        as its two halves. {notes}
      </p>
    </section>
  );
}

/** The plan of the step that is shown: the latest one of the ranks, or the first one of a new run. */
function usePlannedStep(run: ShownRun): PlannedStep {
  const { table } = useLabClient();
  const step = useLab((state) => state.recent.at(-1)?.[0]?.step);
  const first_step = useLab((state) => state.from?.step ?? 0);
  const train_pairs = useLab((state) => state.train_pairs);
  return useMemo(() => {
    if (run.planned.length < 2) return { traffic: [], notes: '' };
    if (!run.isMeasured || step === undefined) return plannedStep(run, null);
    const answer_tokens = valueAt(table.get(ANSWER_LENGTH), step);
    return plannedStep(run, { step: step - 1, first_step, train_pairs, answer_tokens });
  }, [run, table, step, first_step, train_pairs]);
}

function Purposes({ traffic }: Pick<PlannedStep, 'traffic'>) {
  return (
    <details className="more">
      <summary>What the formula adds up</summary>
      <div className="plan-scroll">
        <table className="plan-table">
          <thead>
            <tr>
              <th scope="col">What is sent</th>
              <th scope="col">Collective</th>
              <th scope="col">Formula</th>
            </tr>
          </thead>
          <tbody>
            {purposesOf(traffic).map(({ kind, what, bytes: sent }) => (
              <tr key={`${kind} ${what}`}>
                <th scope="row">{what}</th>
                <td>
                  <Key kind={kind} /> {LABELS[kind].label}
                </td>
                <td>{bytes(sent)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

const Key = ({ kind }: { kind: CollectiveKind }) => (
  <i className="lab-key" style={{ background: LABELS[kind].colour }} aria-hidden />
);

function Numbers({ measured, planned }: { measured: number | undefined; planned: number }) {
  const isKnown = measured !== undefined;
  return (
    <>
      <td>{isKnown ? bytes(measured) : '–'}</td>
      <td>{planned > 0 ? bytes(planned) : '–'}</td>
      <td>{isKnown && planned > 0 ? differenceText(measured / planned - 1) : '–'}</td>
    </>
  );
}

/** Rounding in the formula, such as of thirds, is no difference: not "-0.0%". */
const differenceText = (difference: number): string =>
  percent(Math.abs(difference) < SMALLEST ? 0 : difference, 1);

const SMALLEST = 1e-9;

interface BarProps {
  title: 'measured' | 'planned';
  sent: BytesByKind;
  width: number;
}

function Bar({ title, sent, width }: BarProps) {
  const used = COLLECTIVES.filter((kind) => sent[kind] > 0);
  const texts = used.map((kind) => `${LABELS[kind].label} ${bytes(sent[kind])}`);
  return (
    <div
      className="plan-bar-track lab-bar"
      data-kind={title}
      role="img"
      aria-label={`Sent in a step, ${title}: ${texts.join(', ') || 'nothing'}`}
    >
      {used.map((kind, index) => (
        <i
          key={kind}
          title={`${title}: ${texts[index]}`}
          style={{ width: `${(100 * sent[kind]) / width}%`, background: LABELS[kind].colour }}
        />
      ))}
    </div>
  );
}
