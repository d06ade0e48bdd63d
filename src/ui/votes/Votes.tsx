/** Two answers of one model side by side: the user says which is better, and a stage learns from it. */
import { useEffect, useMemo } from 'react';
import type { RunRecord } from '../../store/index.ts';
import { canBeParent, listed, modelTrees } from '../../store/stages/tree.ts';
import { ModelSelect } from '../chat/ChatBar.tsx';
import { MissingModels } from '../chat/MissingModels.tsx';
import { useLibrary } from '../context.tsx';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { goTo, goToModels, usePlace } from '../place.ts';
import { AnswerPairView } from './AnswerPair.tsx';
import { OwnQuestion } from './OwnQuestion.tsx';
import { useVoteKeys } from './useVoteKeys.ts';
import { VoteCount } from './VoteCount.tsx';
import { useVoting } from './voting.ts';
import '../styles/samples.css';
import '../styles/stages.css';
import '../styles/votes.css';

export default function Votes() {
  useFreshRuns();
  const runs = useLibrary((state) => state.runs);
  const loaded = useLibrary((state) => state.loaded);
  const models = useMemo(
    () => listed(modelTrees(runs)).filter(({ record }) => canBeParent(record)),
    [runs],
  );
  const subject = usePlace((place) => place.subject);
  const model = chosenModel(
    models.map(({ record }) => record),
    subject,
  );
  return (
    <main className="models votes-place">
      <header>
        <h1>Votes</h1>
        <p className="muted">
          Which answer is better? A reward model or DPO can learn from your choices.
        </p>
      </header>
      {models.length > 0 ? (
        <>
          <div className="votes-model">
            {model || subject === null ? null : <MissingModels ids={[subject]} />}
            <ModelSelect
              label="Model"
              models={models}
              value={model?.run ?? ''}
              onChange={(run) => goToModels('votes', run)}
            />
          </div>
          {model ? <Booth model={model} /> : null}
        </>
      ) : (
        <p className="empty">
          {loaded ? (
            <>
              No model has been saved yet.{' '}
              <button type="button" className="link" onClick={() => goTo({ at: 'welcome' })}>
                Train one first
              </button>
            </>
          ) : (
            'Loading…'
          )}
        </p>
      )}
    </main>
  );
}

/**
 * The model of the address; if it names none, the stage that changed last: a base model has no
 * answers. Null if the named one is not here.
 */
function chosenModel(models: readonly RunRecord[], subject: string | null): RunRecord | null {
  if (subject !== null) return models.find(({ run }) => run === subject) ?? null;
  const newest = [...models].sort((a, b) => b.updated - a.updated);
  return newest.find(({ stage }) => stage != null) ?? newest[0] ?? null;
}

function Booth({ model }: { model: RunRecord }) {
  const voting = useVoting();
  const { run, step } = model;
  useVoteKeys(voting);
  useEffect(() => {
    void voting.begin(run, step);
  }, [voting, run, step]);
  return (
    <>
      <AnswerPairView voting={voting} />
      <OwnQuestion voting={voting} />
      <VoteCount model={model} voting={voting} />
    </>
  );
}
