/** Evaluation of saved models on held-out questions: the form, the table, and the report card. */
import { useEffect, useMemo } from 'react';
import { listed, modelTrees } from '../../store/stages/tree.ts';
import { useLibrary } from '../context.tsx';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { goTo } from '../place.ts';
import { EvaluateForm } from './EvaluateForm.tsx';
import { EvaluationProgress } from './EvaluationProgress.tsx';
import { EvaluationTableView } from './EvaluationTable.tsx';
import { useKeptFocus } from '../useKeptFocus.ts';
import { useEvaluating, useEvaluations } from './evaluating.ts';
import { ReportCardView } from './ReportCard.tsx';
import '@mantine/core/styles/Checkbox.layer.css';
import '@mantine/core/styles/NumberInput.layer.css';
import '@mantine/core/styles/Progress.layer.css';
import '../styles/stages.css';
import '../styles/evaluate.css';

export default function Evaluate() {
  useFreshRuns();
  const runs = useLibrary((state) => state.runs);
  const loaded = useLibrary((state) => state.loaded);
  const evaluating = useEvaluating();
  const models = useMemo(
    () => listed(modelTrees(runs)).filter(({ record }) => record.resumable),
    [runs],
  );
  const ids = models.map(({ record }) => record.run).join(' ');
  useEffect(() => {
    if (ids !== '') void evaluating?.load(ids.split(' '));
  }, [evaluating, ids]);
  const isRunning = useEvaluations((state) => state.running !== null);
  useKeptFocus(isRunning, isRunning ? '.evaluate-progress' : '.evaluate-start');
  return (
    <main className="models evaluate">
      <header>
        <h1>Evaluate</h1>
        <p className="muted">
          Every model gets the same held-out questions, and code checks the answers. Each number has
          its 95 % interval and the number of items that it comes from.
        </p>
      </header>
      {models.length > 0 && evaluating ? (
        <>
          {/* It keeps its choices while an evaluation runs. */}
          <div hidden={isRunning}>
            <EvaluateForm models={models} evaluating={evaluating} />
          </div>
          <EvaluationProgress evaluating={evaluating} />
          <EvaluationTableView evaluating={evaluating} />
          <ReportCardView models={models} />
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
