/** What the ranks send in a step, by kind of collective, beside the formulas. */
import { bytes, percent } from '../../store/index.ts';
import { COLLECTIVES, type CollectiveKind } from '../../store/lab/index.ts';
import { useLab } from './lab.ts';
import { allBytes, type BytesByKind, plannedInStep, sentInStep } from './measured.ts';
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
  const traffic = run.traffic_not_planned ? [] : run.planned.flatMap((rank) => rank.traffic);
  const planned = plannedInStep(traffic);
  const measured = run.isMeasured && latest ? sentInStep(latest) : null;
  if (run.planned.length < 2) return null;
  const used = COLLECTIVES.filter((kind) => planned[kind] > 0 || (measured?.[kind] ?? 0) > 0);
  const width = Math.max(1, ...[planned, measured].map((sent) => (sent ? allBytes(sent) : 0)));
  return (
    <section aria-label="Bytes sent in a step" data-testid="lab-traffic">
      <h2>Sent in a step, by all ranks</h2>
      {measured ? <Bar title="measured" sent={measured} width={width} /> : null}
      {run.traffic_not_planned ? null : <Bar title="planned" sent={planned} width={width} />}
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
                  <i className="lab-key" style={{ background: LABELS[kind].colour }} aria-hidden />{' '}
                  {LABELS[kind].label}
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
      <p className="small muted">
        Every collective goes through the host: buffers of two devices cannot be shared, so their
        bytes are read, sent as a message and written again. An all-reduce of gradients is counted
        as its two halves. {run.traffic_not_planned || notes(run)}
      </p>
    </section>
  );
}

/** What the formulas of training leave out. */
const notes = ({ stage }: ShownRun): string =>
  stage?.objective === 'dpo'
    ? 'The reference scores each pair when it is met for the first time, which the formula leaves out.'
    : '';

function Numbers({ measured, planned }: { measured: number | undefined; planned: number }) {
  const isKnown = measured !== undefined;
  return (
    <>
      <td>{isKnown ? bytes(measured) : '–'}</td>
      <td>{planned > 0 ? bytes(planned) : '–'}</td>
      <td>{isKnown && planned > 0 ? percent(measured / planned - 1, 1) : '–'}</td>
    </>
  );
}

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
