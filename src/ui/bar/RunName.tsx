/** The editable name of the current run, or of the next one if there is none. */
import { useState } from 'react';
import { useClient, useForm, useRun } from '../context.tsx';
import { newRunName } from '../../store/index.ts';

export function RunName() {
  const client = useClient();
  const run = useRun((state) => state.run);
  const opening = useRun((state) => state.opening);
  const runName = useRun((state) => state.name);
  const planned = useForm((state) => newRunName(state, client.stores));
  const [draft, setDraft] = useState<string | null>(null);
  const name = run !== null || opening ? runName : planned;

  const commit = (): void => {
    const next = draft?.trim();
    setDraft(null);
    if (!next || next === name) return;
    if (run) client.library.rename(run, next);
    else client.stores.form.setState({ name: next });
  };
  const shown = draft ?? name;
  return (
    // The copy of the text in `data-text` gives the field its height, so that a long name wraps.
    <div className="run-name" data-text={shown}>
      <textarea
        aria-label="Run name"
        rows={1}
        value={shown}
        maxLength={80}
        spellCheck={false}
        onChange={(event) => setDraft(event.currentTarget.value.replaceAll('\n', ' '))}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === 'Enter') event.currentTarget.blur();
          if (event.key === 'Escape') {
            setDraft(null);
            event.currentTarget.blur();
          }
        }}
      />
    </div>
  );
}
