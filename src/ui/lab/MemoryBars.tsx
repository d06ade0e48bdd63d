/** Memory of each rank, as it was measured above as it was planned. */
import { bytes, percent } from '../../store/index.ts';
import { placeWords } from './words.ts';
import { useLab } from './lab.ts';
import {
  LAB_MEMORY_KINDS,
  type LabMemory,
  type LabMemoryKind,
  measuredMemory,
  plannedMemory,
  totalOf,
} from './measured.ts';
import type { ShownRun } from './useLabRun.ts';

const KINDS: Readonly<Record<LabMemoryKind, { label: string; colour: string; help: string }>> = {
  weights: {
    label: 'Weights',
    colour: 'var(--c-train)',
    help: 'Those that stay; under ZeRO-3 gathered ones are activations',
  },
  gradients: { label: 'Gradients', colour: 'var(--c-speed)', help: 'Those that stay' },
  optimizer: { label: 'Optimizer', colour: 'var(--c-grad)', help: 'Moments' },
  activations: {
    label: 'Activations',
    colour: 'var(--c-val)',
    help: 'Activations, logits, temporaries and what is gathered for a while',
  },
  rest: { label: 'Inputs and others', colour: 'var(--c-gpu)', help: 'Batches and small buffers' },
};

interface RankBytes {
  rank: number;
  measured: LabMemory | null;
  planned: LabMemory | null;
}

export function MemoryBars({ run }: { run: ShownRun }) {
  const reported = useLab((state) => state.ranks);
  const ranks = run.planned.map(({ memory }, rank): RankBytes => {
    const own = run.isMeasured ? reported[rank]?.memory : null;
    return {
      rank,
      planned: run.not_planned ? null : plannedMemory(memory),
      measured: own ? measuredMemory(own) : null,
    };
  });
  const all = ranks.flatMap(({ measured, planned }) => [measured, planned]);
  const width = Math.max(1, ...all.map((memory) => (memory ? totalOf(memory) : 0)));
  return (
    <section aria-label="Memory of each rank" data-testid="lab-memory">
      <h2>Memory of each rank</h2>
      <div className="lab-memory">
        {ranks.map(({ rank, measured, planned }) => (
          <div key={rank} className="lab-memory-rank">
            <span className="small">
              {placeWords(run.mesh, rank)}
              <b>{bytes(totalOf(measured ?? planned ?? NOTHING))}</b>
            </span>
            {measured ? <Bar title="measured" memory={measured} width={width} rank={rank} /> : null}
            {planned ? <Bar title="planned" memory={planned} width={width} rank={rank} /> : null}
          </div>
        ))}
      </div>
      <Legend ranks={ranks} />
      <MemoryNote ranks={ranks} run={run} />
    </section>
  );
}

const NOTHING: LabMemory = { weights: 0, gradients: 0, optimizer: 0, activations: 0, rest: 0 };

interface BarProps {
  title: 'measured' | 'planned';
  memory: LabMemory;
  /** Bytes of the whole width. */
  width: number;
  rank: number;
}

function Bar({ title, memory, width, rank }: BarProps) {
  const text = LAB_MEMORY_KINDS.map((kind) => `${KINDS[kind].label} ${bytes(memory[kind])}`);
  return (
    <div
      className="plan-bar-track lab-bar"
      data-kind={title}
      role="img"
      aria-label={`Rank ${rank}, ${title}: ${text.join(', ')}`}
    >
      {LAB_MEMORY_KINDS.map((kind, index) => (
        <i
          key={kind}
          title={`${title}: ${text[index]}`}
          style={{ width: `${(100 * memory[kind]) / width}%`, background: KINDS[kind].colour }}
        />
      ))}
    </div>
  );
}

function Legend({ ranks }: { ranks: readonly RankBytes[] }) {
  const first = ranks[0];
  const shown = first?.measured ?? first?.planned;
  if (!shown) return null;
  return (
    <ul className="memory-legend plan-legend">
      {LAB_MEMORY_KINDS.map((kind) => (
        <li key={kind} title={KINDS[kind].help}>
          <i style={{ background: KINDS[kind].colour }} />
          {KINDS[kind].label} <b>{bytes(shown[kind])}</b>
        </li>
      ))}
    </ul>
  );
}

/** How far the plan is off. */
function MemoryNote({ ranks, run }: { ranks: readonly RankBytes[]; run: ShownRun }) {
  const { not_planned, stage } = run;
  if (not_planned)
    return (
      <p className="small muted">
        {not_planned}{' '}
        {run.isMeasured
          ? 'The numbers are those of rank 0, measured.'
          : 'The numbers are measured once the ranks have started.'}
      </p>
    );
  const both = ranks.flatMap(({ measured, planned }) =>
    measured && planned ? [{ measured: totalOf(measured), planned: totalOf(planned) }] : [],
  );
  if (both.length === 0)
    return (
      <p className="small muted">As planned, of rank 0; measured beside it after the start.</p>
    );
  const worst = Math.max(...both.map(({ measured, planned }) => Math.abs(planned / measured - 1)));
  return (
    <p className="small muted">
      The upper bar is what a rank holds after a step, measured; the pale one is the plan, which
      differs by {percent(worst, 1)} at most. The numbers are those of rank 0.
      {stage
        ? ' Evaluations that sample answers hold more than the plan, which is of training.'
        : ''}
    </p>
  );
}
