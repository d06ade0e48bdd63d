/**
 * How a program drives the page (scripts/headless.mjs, benchmarks). With `?headless=1` in its
 * address the page sets `window.terrarium` to a HeadlessHook before it starts anything; otherwise
 * there is none.
 *
 * With `autostart=1` the page starts the run of its address by itself, as a click on Train does; if
 * the corpus is 'own', it waits for `openText` first. A headless page asks no questions: it does
 * not offer to resume a saved run.
 */
import type { FinishReason, Mesh, RankMemory } from '../common/index.ts';
import type { DeviceInfo, PlainError, RunPhase, StartMark } from './types.ts';

/** What was measured at one step, by the name of the metric (common/metrics.ts). */
export type MetricRecord = { step: number } & Record<string, number>;

export interface HeadlessStatus {
  phase: RunPhase;
  detail: string;
  step: number;
  max_iters: number;
  run: string | null;
  device: DeviceInfo | null;
  n_params: number | null;
  planned_bytes: number | null;
  /** Baselines of the text, nats per token. */
  uniform_loss: number | null;
  bigram_loss: number | null;
  /** Milliseconds from Train to each stage of the start, and to the first loss on the page. */
  start: Partial<Record<StartMark | 'first_loss', number>>;
  /** Newest sample as plain text, prompt included. */
  sample: string | null;
  /** What the page has told its user, newest last; for example an adjusted field. */
  notices: string[];
  /** Why the run ended; null before. */
  finished: FinishReason | null;
  /** The stages of the recipe that is carried out, in order; null without one. */
  recipe: RecipeProgress | null;
  /** The failure that the page shows, one before the run included (bad address, no backend). */
  error: PlainError | null;
}

/** How far a recipe is. */
export interface RecipeProgress {
  running: boolean;
  /** Why it ended before its last stage, one sentence. */
  ended: string;
  stages: readonly {
    id: string;
    status: string;
    run: string | null;
    problem: string;
    seconds: number | null;
  }[];
}

/** A run of the parallel lab that took all its steps. */
export interface LabResult {
  mesh: Mesh;
  backend: string;
  n_params: number;
  step: number;
  /** Of each rank, after the last step. */
  memory: RankMemory[];
}

export interface HeadlessHook {
  /**
   * Calls `listener` with every record in order, those included that came while nobody listened (the
   * latest 20,000 of them). The page keeps no record that a listener has got. Returns a function that
   * unsubscribes.
   */
  onRecord(listener: (record: MetricRecord) => void): () => void;
  status(): HeadlessStatus;
  /** The zip that the export button downloads. Rejects with a plain sentence as its message. */
  exportCheckpoint(): Promise<{ name: string; bytes: Uint8Array }>;
  /** Opens a text file as the user would: the corpus becomes 'own'. */
  openText(name: string, bytes: Uint8Array): Promise<void>;
  /**
   * Begins to carry out a recipe (config/stage/recipe.ts); with a mesh, each stage on its ranks.
   * Rejects with a plain sentence as its message.
   */
  runRecipe(recipe: unknown, mesh?: Partial<Mesh> | null): Promise<void>;
  /**
   * Trains the recipe on the ranks of a mesh, with a record after each step. Rejects with a plain
   * sentence as its message.
   */
  runLab(mesh: Partial<Mesh>): Promise<LabResult>;
  /** For tests only: loses the GPU device as a driver would. */
  loseDevice(): void;
}

declare global {
  interface Window {
    terrarium?: HeadlessHook;
  }
}
