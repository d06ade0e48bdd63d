/** The command that starts a run with the form's recipe, and the name that the run gets. */
import { randomId } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { StartCommand } from '../protocol/index.ts';
import type { StartOptions } from './client_types.ts';
import { defaultName, uniqueName } from './default_name.ts';
import { openedFiles, type FormState } from './form.ts';
import type { Stores } from './stores.ts';

type Named = Pick<Stores, 'form' | 'library' | 'run'>;

/** The name that a run with this recipe gets: what the user typed or what differs, and a number. */
export function newRunName(
  form: FormState,
  { library, run }: Pick<Stores, 'library' | 'run'>,
): string {
  const { run: current, name } = run.getState();
  const names = library.getState().runs.map((record) => record.name);
  if (current !== null) names.push(name);
  return uniqueName(form.name.trim() || defaultName(form), names);
}

/** `config` may differ from the form's, which gives name, text and tokenizer. */
export function startCommand(
  stores: Named,
  config: RunConfig,
  options: StartOptions,
): StartCommand {
  const form = { ...stores.form.getState(), config };
  const { preset, base, tokenizerJson } = form;
  // A stage has examples instead of a text, and its parent's tokenizer.
  const opened = options.stage ? {} : openedFiles(form, config);
  return {
    type: 'start',
    run: randomId(),
    name: newRunName(form, stores),
    config,
    recipe: { preset, base, tokenizer_name: tokenizerJson?.name ?? null },
    ...options,
    ...opened,
  };
}
