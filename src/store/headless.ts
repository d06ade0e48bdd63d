/**
 * The hook by which a program drives the page (`?headless=1`): protocol/headless.ts says what it
 * promises.
 */
import type {
  HeadlessHook,
  HeadlessStatus,
  MetricColumns,
  MetricRecord,
} from '../protocol/index.ts';
import type { Client } from './client.ts';
import { setText } from './form.ts';
import { writtenSamples } from './samples.ts';

/** Records that wait while nobody listens; the oldest are dropped beyond it. */
export const MAX_WAITING = 20_000;

/** Passes records on to those who listen, and keeps none of them then: a run may take days. */
class Records {
  #waiting: MetricRecord[] = [];
  readonly #listeners = new Set<(record: MetricRecord) => void>();

  add(record: MetricRecord): void {
    for (const listener of this.#listeners) listener(record);
    if (this.#listeners.size > 0) return;
    this.#waiting.push(record);
    if (this.#waiting.length >= 2 * MAX_WAITING) this.#waiting = this.#waiting.slice(-MAX_WAITING);
  }

  listen(listener: (record: MetricRecord) => void): () => void {
    const waiting = this.#waiting.slice(-MAX_WAITING);
    this.#waiting = [];
    this.#listeners.add(listener);
    for (const record of waiting) listener(record);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

export function installHeadless(client: Client): void {
  const records = new Records();
  client.onEvent((event) => {
    if (event.type !== 'metrics') return;
    for (const record of recordsOf(event.columns)) records.add(record);
  });
  const hook: HeadlessHook = {
    onRecord: (listener) => records.listen(listener),
    status: () => statusOf(client),
    exportCheckpoint: () => client.export(),
    openText: async (name, bytes) => {
      setText(client.stores.form, { name, bytes });
    },
    runRecipe: async (recipe, mesh) => {
      const { parseRecipe } = await import('../config/stage/index.ts');
      const parsed = parseRecipe(recipe);
      if (mesh) {
        const { runRecipeOnRanks } = await import('./lab/headless_recipe.ts');
        void runRecipeOnRanks(client, parsed, { mesh, record: (record) => records.add(record) });
        return;
      }
      const { RecipeRunner } = await import('./recipe_runner.ts');
      new RecipeRunner(client).start(parsed);
    },
    runLab: async (mesh) => {
      const { runLab } = await import('./lab/headless_lab.ts');
      return runLab(client, mesh, (record) => records.add(record));
    },
    loseDevice: () => client.loseDevice(),
  };
  window.terrarium = hook;
}

/** One record a row, without what was not measured there. */
function recordsOf(columns: MetricColumns): MetricRecord[] {
  return Array.from(columns.step, (step, row) => {
    const record: MetricRecord = { step };
    for (const [name, values] of Object.entries(columns)) {
      const value = values[row] ?? NaN;
      if (Number.isFinite(value)) record[name] = value;
    }
    return record;
  });
}

function statusOf({ stores }: Client): HeadlessStatus {
  const run = stores.run.getState();
  const sample = writtenSamples(stores.samples.getState().samples).at(-1);
  const recipe = stores.recipe.getState();
  const config = run.config ?? stores.form.getState().config;
  return {
    phase: run.phase,
    detail: run.detail,
    step: run.step,
    max_iters: config.training.max_iters,
    run: run.run,
    device: run.device,
    n_params: run.run ? run.n_params : null,
    planned_bytes: run.run ? run.planned_bytes : null,
    uniform_loss: run.data?.uniform_loss ?? null,
    bigram_loss: run.data?.bigram_loss ?? null,
    start: run.start,
    sample: sample ? sample.prompt + sample.tokens.map((piece) => piece.text).join('') : null,
    notices: run.notices.map(({ message }) => message),
    finished: run.finished,
    recipe: recipe.members.length > 0 ? { ...recipe, stages: recipe.members } : null,
    error: run.error,
  };
}
