/** Memory of each rank as two bars: measured above, planned below. */
import { bytes, percent } from '../../store/index.ts';
import { modelsText } from '../plan/words.ts';
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
import type { PlannedRank } from './planned_ranks.ts';
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
  rollouts: {
    label: 'Sampling',
    colour: 'var(--c-lr)',
    help: 'Caches of the answers that are sampled at once; where no rank has all weights, a copy of them',
  },
  rest: { label: 'Inputs and others', colour: 'var(--c-gpu)', help: 'Batches and small buffers' },
};

interface RankBytes {
  rank: number;
  measured: LabMemory | null;
  planned: LabMemory;
}

export function MemoryBars({ run }: { run: ShownRun }) {
  const reported = useLab((state) => state.ranks);
  const ranks = run.planned.map(({ memory }, rank): RankBytes => {
    const report = run.isMeasured ? reported[rank]?.memory : null;
    return {
      rank,
      planned: plannedMemory(memory),
      measured: report ? measuredMemory(report) : null,
    };
  });
  const bars = ranks.flatMap(({ measured, planned }) => [measured, planned]);
  const width = Math.max(1, ...bars.map((memory) => (memory ? totalOf(memory) : 0)));
  return (
    <section aria-label="Memory of each rank" data-testid="lab-memory">
      <h2>Memory of each rank</h2>
      <div className="lab-memory">
        {ranks.map(({ rank, measured, planned }) => (
          <div key={rank} className="lab-memory-rank">
            <span className="small">
              {placeWords(run.mesh, rank)}
              <b>{bytes(totalOf(measured ?? planned))}</b>
            </span>
            {measured ? <Bar title="measured" memory={measured} width={width} rank={rank} /> : null}
            <Bar title="planned" memory={planned} width={width} rank={rank} />
          </div>
        ))}
      </div>
      <Legend ranks={ranks} />
      <ModelsNote models={run.planned[0]?.models ?? null} />
      <MemoryNote ranks={ranks} run={run} />
    </section>
  );
}

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
  const samples = Math.max(shown.rollouts, first?.planned.rollouts ?? 0) > 0;
  const kinds = LAB_MEMORY_KINDS.filter((kind) => kind !== 'rollouts' || samples);
  return (
    <ul className="memory-legend plan-legend">
      {kinds.map((kind) => (
        <li key={kind} title={KINDS[kind].help}>
          <i style={{ background: KINDS[kind].colour }} />
          {KINDS[kind].label} <b>{bytes(shown[kind])}</b>
        </li>
      ))}
    </ul>
  );
}

/** Weights by the model that they belong to, where a stage has several. */
function ModelsNote({ models }: Pick<PlannedRank, 'models'>) {
  const text = modelsText(models);
  return text ? <p className="small muted">Weights of rank 0, as planned: {text}.</p> : null;
}

/** How far the plan is off. */
function MemoryNote({ ranks, run }: { ranks: readonly RankBytes[]; run: ShownRun }) {
  const both = ranks.flatMap(({ measured, planned }) =>
    measured ? [{ measured: totalOf(measured), planned: totalOf(planned) }] : [],
  );
  if (both.length === 0)
    return (
      <p className="small muted">As planned, of rank 0; measured beside it after the start.</p>
    );
  const worst = Math.max(...both.map(({ measured, planned }) => Math.abs(planned / measured - 1)));
  return (
    <p className="small muted">
      The upper bar is what a rank holds after a step, measured; the pale one is the plan, which
      differs by {percent(worst, 1)} at most. The numbers are those of rank 0.{samplingNote(run)}
    </p>
  );
}

function samplingNote({ stage, planned }: ShownRun): string {
  // Reward models answer nothing.
  if (!stage || stage.objective === 'reward') return '';
  return (planned[0]?.memory.rollouts ?? 0) > 0
    ? ' Sampling is planned for evaluations too, and measured as far as answers were sampled.'
    : ' Evaluations that sample answers hold more than the plan, which is of training.';
}
