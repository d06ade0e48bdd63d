/** Applies the worker's events to the stores. */
import type { RunConfig } from '../config/index.ts';
import type { Event, RestoredRun, StartedEvent } from '../protocol/index.ts';
import { epoch } from './epoch.ts';
import { dataKey, takeRestored } from './form.ts';
import { reduceLibrary } from './library.ts';
import { MetricsFeed } from './metrics_feed.ts';
import { initialProfile, reduceProfile } from './profile.ts';
import { clearedRun, reduceRun, type RecipeOfRun } from './run.ts';
import { restoreView } from './run_view.ts';
import { addSample } from './samples.ts';
import type { Stores } from './stores.ts';

export class StoreUpdates {
  readonly #stores: Stores;
  readonly #feed: MetricsFeed;
  /** `dataKey` of the text that the worker was last asked to prepare. */
  preparing: string | null = null;
  /** The form's recipe of the run that was requested, until it has started. */
  #asked: Pick<RecipeOfRun, 'config' | 'base' | 'preset'> | null = null;
  /** A run was requested that is not the one on the page. */
  #isOtherRun = false;

  constructor(stores: Stores) {
    this.#stores = stores;
    this.#feed = new MetricsFeed(stores.run, stores.table);
  }

  /** Clears what belongs to the run before. */
  clearRun(name: string, config: RunConfig | null): void {
    this.#feed.show();
    const { run, table, samples, profile, view, form } = this.#stores;
    table.clear();
    samples.setState({ samples: [] });
    profile.setState(initialProfile);
    view.setState({ zoom: null, sampleStep: null });
    const { base, preset } = form.getState();
    this.#asked = config ? { config, base, preset } : null;
    this.#isOtherRun = true;
    // The text that is prepared next is that of the run.
    this.preparing = null;
    run.setState(clearedRun(run.getState(), { name, config, pressed: epoch() }));
  }

  apply(event: Event): void {
    if (event.type === 'metrics') {
      this.#feed.take(event);
      return;
    }
    this.#feed.show();
    const { run, samples, form, library, profile } = this.#stores;
    if (event.type === 'started') this.#takeStarted(event);
    if (event.type === 'data') form.setState({ preparedKey: this.preparing });
    if (event.type === 'sample')
      samples.setState((state) => ({ samples: addSample(state.samples, event.sample) }));
    run.setState(reduceRun(run.getState(), event));
    library.setState(reduceLibrary(library.getState(), event));
    profile.setState(reduceProfile(event));
  }

  #takeStarted(event: StartedEvent): void {
    this.#takeHistory(event);
    if (!this.#isOtherRun) return;
    this.#isOtherRun = false;
    const { form, run } = this.#stores;
    const { restored } = event;
    if (restored) this.#restore(event.config, restored);
    const { base, preset } = form.getState();
    const opened = { config: event.config, base, preset };
    const recipe = restored ? opened : (this.#asked ?? opened);
    const key = restored ? dataKey(event.config, form.getState()) : this.preparing;
    run.setState({ recipe: { ...recipe, dataKey: key } });
  }

  /** What a run brings back that was opened again, or imported. */
  #restore(config: RunConfig, restored: RestoredRun): void {
    const { form, samples } = this.#stores;
    takeRestored(form, config, restored);
    form.setState({ preparedKey: dataKey(config, form.getState()) });
    samples.setState({ samples: restored.samples });
    if (restored.view) restoreView(this.#stores, restored.view);
  }

  /** A resumed run brings its metrics; samples after its step will be drawn again. */
  #takeHistory({ history, step }: StartedEvent): void {
    const { table, samples } = this.#stores;
    if (history) {
      table.clear();
      table.append(history);
    } else table.truncateAfter(step);
    samples.setState((state) => ({
      samples: state.samples.filter((sample) => sample.step <= step),
    }));
  }
}
