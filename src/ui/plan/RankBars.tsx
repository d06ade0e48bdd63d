/** Memory of the ranks by kind, as stacked bars against the memory of a device. */
import {
  MEMORY_KINDS,
  type MemoryKind,
  type MeshPlan,
  type RankMemory,
  type RankPlan,
} from '../../plan/parallel/index.ts';
import { bytes } from '../../store/index.ts';
import { MEMORY_LABELS, modelsText, ranks } from './words.ts';

interface RankBarsProps {
  plan: MeshPlan;
  bytes_per_rank: number;
}

/** Most bars that are drawn. Of more stages, the first ones and the last are shown. */
const MOST_BARS = 12;

export function RankBars({ plan, bytes_per_rank }: RankBarsProps) {
  const { mesh, peak_bytes } = plan;
  const width = Math.max(peak_bytes, bytes_per_rank) * 1.02;
  const drawn =
    plan.ranks.length <= MOST_BARS
      ? plan.ranks
      : [...plan.ranks.slice(0, MOST_BARS - 1), ...plan.ranks.slice(-1)];
  const ranksPerStage = mesh.dp * mesh.tp;
  const largest = plan.ranks.reduce((a, b) => (b.memory.total > a.memory.total ? b : a));
  return (
    <section className="plan-bars" aria-label="Memory of a rank" data-testid="plan-bars">
      <h2>Memory of a rank</h2>
      <div className="plan-scale">
        <i className="plan-limit" style={{ left: `${(100 * bytes_per_rank) / width}%` }} />
        {drawn.map((rank) => (
          <Bar
            key={rank.pp_rank}
            label={barLabel(rank, plan, ranksPerStage)}
            memory={rank.memory}
            width={width}
            limit={bytes_per_rank}
          />
        ))}
      </div>
      <Fits peak={peak_bytes} limit={bytes_per_rank} />
      <Legend memory={largest.memory} isOneOfMany={plan.ranks.length > 1} />
      <StageNote models={largest.models} />
    </section>
  );
}

/** A bar stands for all ranks of a stage: "Stage 2, each of 4 ranks". */
function barLabel({ pp_rank }: RankPlan, { mesh }: MeshPlan, ranksPerStage: number): string {
  const isSingle = ranksPerStage === 1;
  if (mesh.pp === 1) return isSingle ? 'The rank' : `Each of ${ranks(ranksPerStage)}`;
  const stage = `Stage ${pp_rank + 1}`;
  return isSingle ? stage : `${stage}, each of ${ranks(ranksPerStage)}`;
}

interface BarProps {
  label: string;
  memory: RankMemory;
  /** Bytes of the whole width. */
  width: number;
  limit: number;
}

function Bar({ label, memory, width, limit }: BarProps) {
  return (
    <div className="plan-bar" data-over={memory.total > limit || undefined}>
      <span className="plan-bar-label">
        {label} <b>{bytes(memory.total)}</b>
      </span>
      <div
        className="plan-bar-track"
        role="img"
        aria-label={`${label}: ${kindsOf(memory)
          .map((kind) => kindText(kind, memory))
          .join(', ')}`}
      >
        {kindsOf(memory).map((kind) => (
          <i
            key={kind}
            title={kindText(kind, memory)}
            style={{
              width: `${(100 * memory[kind]) / width}%`,
              background: MEMORY_LABELS[kind].colour,
            }}
          />
        ))}
      </div>
    </div>
  );
}

/** Only some stages sample answers. */
const kindsOf = (memory: RankMemory): MemoryKind[] =>
  MEMORY_KINDS.filter((kind) => kind !== 'rollouts' || memory.rollouts > 0);

const kindText = (kind: MemoryKind, memory: RankMemory): string =>
  `${MEMORY_LABELS[kind].label} ${bytes(memory[kind])}`;

function StageNote({ models }: Pick<RankPlan, 'models'>) {
  if (!models) return null;
  const text = modelsText(models);
  return (
    <p className="small muted">
      This run learns after pretraining, and its memory is planned so.
      {text ? ` Weights: ${text}.` : ''} What is sent and the time of a step are those of training
      its model.
    </p>
  );
}

function Fits({ peak, limit }: { peak: number; limit: number }) {
  if (peak <= limit)
    return (
      <p className="small muted">
        Fits: {bytes(peak)} of the {bytes(limit)} of a device, the line.
      </p>
    );
  return (
    <p className="field-problem" role="alert">
      Does not fit: a rank needs {bytes(peak)}, and a device has {bytes(limit)}; share more among
      the ranks, recompute activations or make micro-batches smaller.
    </p>
  );
}

function Legend({ memory, isOneOfMany }: { memory: RankMemory; isOneOfMany: boolean }) {
  return (
    <>
      <ul className="memory-legend plan-legend">
        {kindsOf(memory).map((kind) => (
          <li key={kind} title={KIND_HELP[kind]}>
            <i style={{ background: MEMORY_LABELS[kind].colour }} />
            {MEMORY_LABELS[kind].label} <b>{bytes(memory[kind])}</b>
          </li>
        ))}
      </ul>
      {isOneOfMany ? <p className="small muted">Of the stage that needs most.</p> : null}
    </>
  );
}

const KIND_HELP: Readonly<Record<MemoryKind, string>> = {
  weights: 'What the forward and the backward pass read',
  gradients: 'One for each parameter that is not sharded',
  optimizer: 'Moments, and float32 master weights under mixed precision',
  activations: 'Kept from the forward to the backward pass, of all micro-batches in flight',
  logits: 'A score for each token of the vocabulary, at each position',
  temporaries:
    'Gradients inside a block, a recomputed block; under ZeRO gathered weights and gradients',
  rollouts:
    'Caches of the answers that are sampled at once; where no rank has all weights, a copy of them',
  inputs: 'Tokens, targets, weights and positions of a micro-batch',
  fragmentation: 'Lost to alignment and between blocks of the allocator',
};
