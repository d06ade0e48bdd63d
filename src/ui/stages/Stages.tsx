/** The saved models as a tree: what each was trained from, and what can be done with it. */
import { Button } from '@mantine/core';
import { useMemo, useState } from 'react';
import { modelTrees } from '../../store/stages/tree.ts';
import { isActive } from '../../store/index.ts';
import { useClient, useLibrary, useRun } from '../context.tsx';
import { UndoNotice } from '../library/DeletedRuns.tsx';
import { LibraryMessages } from '../library/LibraryMessages.tsx';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { goTo } from '../place.ts';
import { useKeptFocus } from '../useKeptFocus.ts';
import { Chains } from './Chains.tsx';
import { ModelTree } from './ModelTree.tsx';
import { useMetrics } from './useMetrics.ts';
import '../styles/runs.css';
import '../styles/stages.css';

export default function Stages() {
  useFreshRuns();
  useMetrics();
  return (
    <main className="models">
      <header>
        <h1>Stages</h1>
        <p className="muted">
          A base model continues text. Further stages teach it to answer, to prefer better answers,
          and to improve by trying. Each stage starts from the weights of the one above it.
        </p>
      </header>
      <Models />
      <Chains />
    </main>
  );
}

function Models() {
  const client = useClient();
  const runs = useLibrary((state) => state.runs);
  const loaded = useLibrary((state) => state.loaded);
  const training = useRun((state) => isActive(state.phase));
  const [deleted, setDeleted] = useState<readonly string[]>([]);
  useKeptFocus(deleted, 'main h1');
  const trees = useMemo(() => modelTrees(runs), [runs]);
  const remove = (run: string): void => {
    client.library.delete([run]);
    setDeleted([run]);
  };
  return (
    <>
      <LibraryMessages />
      <UndoNotice runs={deleted} onDone={() => setDeleted([])} />
      {trees.length > 0 ? <ModelTree nodes={trees} onDelete={remove} /> : null}
      {trees.length === 0 && loaded ? <NoModels training={training} /> : null}
      {loaded ? null : <p className="empty">Loading…</p>}
    </>
  );
}

function NoModels({ training }: { training: boolean }) {
  if (training) {
    return <p className="empty">The first model is training; it stands here once it is saved.</p>;
  }
  return (
    <div className="empty">
      <p>No models yet. A stage starts from a trained model, so train a base model first.</p>
      <Button mt="sm" variant="light" onClick={() => goTo({ at: 'welcome', subject: null })}>
        Choose a base model
      </Button>
    </div>
  );
}
