/** A conversation with any saved model, or with two of them on the same questions. */
import { useMemo } from 'react';
import type { RunRecord } from '../../store/index.ts';
import { canBeParent, listed, modelTrees } from '../../store/stages/tree.ts';
import { useLibrary } from '../context.tsx';
import { useFreshRuns } from '../library/useFreshRuns.ts';
import { goTo, goToModels, usePlace } from '../place.ts';
import { ChatBar, ModelSelect } from './ChatBar.tsx';
import { Composer } from './Composer.tsx';
import { Exchanges } from './Exchanges.tsx';
import { MissingModels } from './MissingModels.tsx';
import { useConversation } from './conversation.ts';
import '../styles/samples.css';
import '../styles/stages.css';
import '../styles/chat.css';

/** Between the ids of two models in the address. */
const AND = '+';

export default function Chat() {
  useFreshRuns();
  const runs = useLibrary((state) => state.runs);
  const models = useMemo(
    () => listed(modelTrees(runs)).filter(({ record }) => canBeParent(record)),
    [runs],
  );
  const { chosen, missing } = useChosen(models.map(({ record }) => record));
  const conversation = useConversation();
  const choose = (index: number, run: string): void => {
    const ids = chosen.map((record) => record.run);
    if (run === '') ids.splice(index, 1);
    else ids[index] = run;
    goToModels('chat', ids.join(AND));
  };
  return (
    <main className="models chat-place">
      <header>
        <h1>Chat</h1>
      </header>
      {models.length > 0 ? (
        <>
          <div>
            <MissingModels ids={missing} />
            {chosen.length > 0 ? (
              <ChatBar
                models={models}
                chosen={chosen}
                onChoose={choose}
                conversation={conversation}
              />
            ) : (
              <ModelSelect
                label="Model"
                models={models}
                value=""
                onChange={(run) => choose(0, run)}
              />
            )}
          </div>
          {chosen.length > 0 ? (
            <>
              <Exchanges models={chosen} />
              <Composer models={chosen} conversation={conversation} />
            </>
          ) : null}
        </>
      ) : (
        <NoModels />
      )}
    </main>
  );
}

function NoModels() {
  const loaded = useLibrary((state) => state.loaded);
  if (!loaded) return <p className="empty">Loading…</p>;
  return (
    <p className="empty">
      No model has been saved yet.{' '}
      <button type="button" className="link" onClick={() => goTo({ at: 'welcome' })}>
        Train one first
      </button>
    </p>
  );
}

interface Chosen {
  chosen: readonly RunRecord[];
  /** Ids of the address that are no model here. */
  missing: readonly string[];
}

/** The models that the address names; if it names none, the one that changed last. */
function useChosen(models: readonly RunRecord[]): Chosen {
  const subject = usePlace((place) => place.subject);
  if (subject === null) {
    const [newest] = [...models].sort((a, b) => b.updated - a.updated);
    return { chosen: newest ? [newest] : [], missing: [] };
  }
  const ids = [...new Set(subject.split(AND))].slice(0, 2);
  return {
    chosen: ids.flatMap((id) => models.filter(({ run }) => run === id)),
    missing: ids.filter((id) => !models.some(({ run }) => run === id)),
  };
}
