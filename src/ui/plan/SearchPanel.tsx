/** The search for the smallest arrangement that fits the fleet, and why others lose. */
import { Button } from '@mantine/core';
import { type Candidate, meshName, worldSize } from '../../plan/parallel/index.ts';
import { bytes, count } from '../../store/index.ts';
import type { Planned } from './planned.ts';
import { endSearch, usePlanning, useSearching } from './planning.ts';
import { searchAndTake, takeCandidate } from './search.ts';
import { candidateDetails, lossSentence, ranks, seconds } from './words.ts';

export function SearchPanel({ planned }: { planned: Planned }) {
  const found = usePlanning((state) => state.found);
  const searching = useSearching((state) => state.searching);
  return (
    <section className="plan-search" aria-label="Search">
      <div className="plan-search-bar">
        <h2>Smallest arrangement that fits</h2>
        <Button
          size="xs"
          variant="default"
          onClick={() => (searching ? endSearch() : void searchAndTake(planned))}
        >
          {searching ? 'Stop' : 'Search'}
        </Button>
      </div>
      {searching ? (
        <p className="small muted">{count(searching.tried)} arrangements planned so far.</p>
      ) : null}
      {found ? (
        <>
          <p data-testid="plan-found">{verdict(found.best, planned)}</p>
          <div className="plan-scroll">
            <table className="plan-table">
              <thead>
                <tr>
                  <th>Mesh</th>
                  <th>Ranks</th>
                  <th>Memory of a rank</th>
                  <th>Step</th>
                  <th>Why not</th>
                </tr>
              </thead>
              <tbody>
                {found.best ? <Row candidate={found.best} why="The best." isBest /> : null}
                {found.others.map(({ candidate, loss }) => (
                  <Row
                    key={JSON.stringify(candidate.plan.mesh)}
                    candidate={candidate}
                    why={lossSentence(loss)}
                  />
                ))}
              </tbody>
            </table>
          </div>
          <p className="small muted">
            {count(found.tried)} arrangements planned. Choose one to see its ranks above.
          </p>
        </>
      ) : null}
      {(found ?? searching) ? null : (
        <p className="small muted">
          Plans every mesh whose sizes divide the model and the batch, with each ZeRO stage, number
          of micro-batches and kind of recomputation.
        </p>
      )}
    </section>
  );
}

function verdict(best: Candidate | null, { fleet }: Planned): string {
  const each = bytes(fleet.bytes_per_rank);
  if (!best)
    return (
      `Nothing fits on ${count(fleet.ranks)} ${fleet.ranks === 1 ? 'device' : 'devices'} of ${each}; ` +
      'what comes nearest is below. Add devices, or make the sequence shorter.'
    );
  const { plan } = best;
  const size = worldSize(plan.mesh);
  return (
    `${ranks(size)} of ${each} ${size === 1 ? 'is' : 'are'} enough: ${meshName(plan.mesh)}, ` +
    `${candidateDetails(best)}, ${seconds(plan.time.total)} a step.`
  );
}

interface RowProps {
  candidate: Candidate;
  why: string;
  isBest?: boolean;
}

function Row({ candidate, why, isBest }: RowProps) {
  const { plan } = candidate;
  return (
    <tr data-best={isBest || undefined}>
      <th scope="row">
        <button type="button" className="link" onClick={() => takeCandidate(candidate)}>
          {meshName(plan.mesh)}
        </button>
        <span className="small muted">{candidateDetails(candidate)}</span>
      </th>
      <td>{count(worldSize(plan.mesh))}</td>
      <td>{bytes(plan.peak_bytes)}</td>
      <td>{seconds(plan.time.total)}</td>
      <td className="plan-why">{why}</td>
    </tr>
  );
}
