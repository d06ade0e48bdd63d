/** Which commands of the page wait for those before them, and which a run that trains waits for. */
import type { Command, LibraryCommand } from '../protocol/index.ts';
import type { Control } from '../train/index.ts';

export type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

export type Queued = CommandOf<
  | ('open' | 'prepare' | 'start' | 'resume' | 'import')
  | ('release' | 'tokenize' | 'export' | 'load_history' | 'compare')
  | ('list_runs' | LibraryCommand['type'])
>;

/** Work with storage alone, which needs nothing of the current run. */
const STORAGE_ONLY: ReadonlySet<Queued['type']> = new Set<Queued['type']>([
  'list_runs',
  'load_history',
  'rename_run',
  'duplicate_run',
  'delete_runs',
  'restore_runs',
  'purge_runs',
  'set_budget',
]);

/** What `executeBetweenSteps` needs of the current run. */
interface CurrentLoop {
  readonly id: string;
  readonly control: Pick<Control, 'state'>;
  between(work: () => Promise<void>): Promise<void>;
}

/**
 * Executes a command. While a run trains, each of the many turns of the event loop that storage takes
 * would wait for a whole step, so a run takes no step until a command about storage is done.
 */
export function executeBetweenSteps(
  run: CurrentLoop | null,
  command: Queued,
  execute: () => Promise<void>,
): Promise<void> {
  const executed = execute();
  const trains = run?.control.state === 'run';
  const endsRun = command.type === 'delete_runs' && command.runs.includes(run?.id ?? '');
  if (!trains || endsRun || !STORAGE_ONLY.has(command.type)) return executed;
  // A run that has ended rejects `between`; its caller sees the errors of the command itself.
  void run.between(() => executed).catch(() => undefined);
  return executed;
}
