/** Who holds what: a row for each rank, a column for each layer. */
import { Button, Switch } from '@mantine/core';
import { placeOf } from '../../common/mesh.ts';
import { type Mesh, meshName } from '../../plan/parallel/index.ts';
import { hasRanks, type LabRank } from '../../store/lab/index.ts';
import { Choice } from '../plan/fields.tsx';
import { useChoices } from './choices.ts';
import { holdingsOf, holdingWords, unitsOf } from './holdings.ts';
import { useLab, useLabClient } from './lab.ts';
import type { ShownRun } from './useLabRun.ts';
import { placeWords } from './words.ts';

export function MeshPicture({ run }: { run: ShownRun }) {
  const { mesh, model, planned } = run;
  const ranks = useLab((state) => state.ranks);
  const isLive = useLab(hasRanks) && run.isMeasured;
  return (
    <section aria-label="Mesh of ranks" data-testid="lab-mesh">
      <h2>Who holds what: {meshName(mesh)}</h2>
      <div className="lab-mesh">
        <Heads n_layer={model.n_layer} />
        {planned.map((_, rank) => (
          <RankRow
            key={rank}
            mesh={mesh}
            n_layer={model.n_layer}
            rank={rank}
            state={run.isMeasured ? ranks[rank] : undefined}
            isLive={isLive}
          />
        ))}
      </div>
      <MeshLegend mesh={mesh} />
      {isLive && planned.length > 1 ? <SlownessChoice /> : null}
    </section>
  );
}

function Heads({ n_layer }: { n_layer: number }) {
  return (
    <div className="lab-row lab-heads" aria-hidden>
      <span />
      <div className="lab-cells">
        {unitsOf(n_layer).map(({ name, short }) => (
          <span key={name} title={name}>
            {short}
          </span>
        ))}
      </div>
    </div>
  );
}

interface RowProps {
  mesh: Mesh;
  n_layer: number;
  rank: number;
  state: LabRank | undefined;
  isLive: boolean;
}

function RankRow({ mesh, n_layer, rank, state, isLive }: RowProps) {
  const status = state?.status ?? 'ready';
  return (
    <div className="lab-row" data-status={status} data-testid={`lab-rank-${rank}`}>
      <span className="small lab-rank">{placeWords(mesh, rank)}</span>
      <div className="lab-cells" role="img" aria-label={holdingWords(mesh, n_layer, rank)}>
        {holdingsOf(mesh, n_layer, rank).map(({ unit, isHeld }) => (
          <Cell key={unit.name} mesh={mesh} rank={rank} name={unit.name} isHeld={isHeld} />
        ))}
      </div>
      {isLive && state && mesh.dp * mesh.tp * mesh.pp > 1 ? <Switches state={state} /> : null}
      {state?.failure ? <p className="small lab-rank-failure">{state.failure}</p> : null}
    </div>
  );
}

interface CellProps {
  mesh: Mesh;
  rank: number;
  name: string;
  isHeld: boolean;
}

/** Columns of a cell are slices of tensor parallelism, its rows the parts of ZeRO. */
function Cell({ mesh, rank, name, isHeld }: CellProps) {
  if (!isHeld) return <span className="lab-cell" title={`${name}: on another stage`} />;
  const { tp, dp } = placeOf(mesh, rank);
  const slice = { left: `${(100 * tp) / mesh.tp}%`, width: `${100 / mesh.tp}%` };
  const isShared = mesh.zero_stage > 0 && mesh.dp > 1;
  const part = { top: `${(100 * dp) / mesh.dp}%`, height: `${100 / mesh.dp}%` };
  return (
    <span className="lab-cell" title={name} data-held>
      {isShared && mesh.zero_stage === 3 ? null : <i className="lab-slice" style={slice} />}
      {isShared ? (
        <i className="lab-part" data-stage={mesh.zero_stage} style={{ ...slice, ...part }} />
      ) : null}
    </span>
  );
}

function Switches({ state: { rank, slowness, status } }: { state: LabRank }) {
  const lab = useLabClient();
  const factor = useChoices((choices) => choices.slowness);
  const isReady = status === 'ready';
  return (
    <div className="lab-switches">
      <Switch
        size="xs"
        label="slow"
        aria-label={`Rank ${rank} is slow`}
        checked={slowness > 1}
        disabled={!isReady}
        onChange={({ currentTarget }) => lab.slow(rank, currentTarget.checked ? factor : 1)}
      />
      <Button
        size="compact-xs"
        variant="subtle"
        color="red"
        aria-label={`Rank ${rank} dies`}
        onClick={() => lab.kill(rank)}
      >
        dies
      </Button>
    </div>
  );
}

const FACTORS = ['2', '4', '8'] as const;

function SlownessChoice() {
  const lab = useLabClient();
  const factor = useChoices((choices) => choices.slowness);
  const slow = useLab((state) => state.ranks);
  return (
    <div className="lab-slowness">
      <Choice
        label="A slow rank takes"
        options={FACTORS.map((value) => [value, `${value} times as long`] as const)}
        value={FACTORS.find((value) => Number(value) === factor) ?? '4'}
        onChange={(value) => {
          useChoices.setState({ slowness: Number(value) });
          for (const { rank, slowness } of slow) if (slowness > 1) lab.slow(rank, Number(value));
        }}
      />
    </div>
  );
}

const PARTS = [
  '',
  'its part of the moments',
  'its part of moments and gradients',
  'its part of weights, gradients and moments; the rest is gathered layer by layer',
] as const;

function MeshLegend({ mesh }: { mesh: Mesh }) {
  const isShared = mesh.zero_stage > 0 && mesh.dp > 1;
  const whole = mesh.tp > 1 ? 'its slice of the weights' : 'weights, whole';
  return (
    <ul className="memory-legend plan-legend">
      {isShared && mesh.zero_stage === 3 ? null : (
        <li>
          <i className="lab-slice" /> {whole}
        </li>
      )}
      {isShared ? (
        <li>
          <i className="lab-part" data-stage={mesh.zero_stage} /> {PARTS[mesh.zero_stage]}
        </li>
      ) : null}
      {mesh.pp > 1 ? (
        <li>
          <i className="lab-cell" /> on another stage
        </li>
      ) : null}
    </ul>
  );
}
