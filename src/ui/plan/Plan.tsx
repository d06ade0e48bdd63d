/** What training a model on many devices takes, before anything runs. */
import { Button } from '@mantine/core';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { FleetChoice } from './FleetChoice.tsx';
import { Formulas } from './Formulas.tsx';
import { MeshChoice } from './MeshChoice.tsx';
import { MeshCosts } from './MeshCosts.tsx';
import { ModelChoice } from './ModelChoice.tsx';
import { OneDevice } from './OneDevice.tsx';
import { usePlanning } from './planning.ts';
import { RankBars } from './RankBars.tsx';
import { SearchPanel } from './SearchPanel.tsx';
import { askSevenB, isSevenB } from './seven_b.ts';
import { usePlanned, useSurroundings } from './usePlanned.ts';
import '@mantine/core/styles/NumberInput.layer.css';
import '../styles/recipe.css';
import '../styles/stages.css';
import '../styles/new_stage.css';
import '../styles/plan.css';

export default function Plan() {
  useFreshRuns();
  const around = useSurroundings();
  const planned = usePlanned(around);
  const asksSevenB = usePlanning(isSevenB);
  const { plan, job, fleet } = planned;
  return (
    <main className="models plan">
      <header>
        <h1>Plan</h1>
        <p className="muted">
          What a model takes on one device and on many: memory of each rank, bytes that are sent,
          and time, by arithmetic alone.
        </p>
        <Button size="xs" className="plan-ask" onClick={() => askSevenB(around)}>
          What would 7B take?
        </Button>
      </header>
      <div className="plan-columns">
        <div className="plan-choices">
          <ModelChoice planned={planned} />
          <FleetChoice planned={planned} />
          <MeshChoice planned={planned} />
        </div>
        <div className="plan-results">
          {job.stage ? null : <OneDevice job={job} isSevenB={asksSevenB} />}
          {plan ? (
            <>
              <RankBars plan={plan} bytes_per_rank={fleet.bytes_per_rank} />
              <MeshCosts planned={planned} plan={plan} />
            </>
          ) : (
            <p className="empty">The mesh cannot train this model; see what is wrong beside it.</p>
          )}
          <SearchPanel planned={planned} />
        </div>
      </div>
      <Formulas />
    </main>
  );
}
