/** The library of saved runs, as the page manages it. */
import type { RunStore } from '../checkpoint/index.ts';
import { randomId } from '../common/index.ts';
import type { Command, Event } from '../protocol/index.ts';

export type LibraryCommand = Extract<
  Command,
  { type: 'list_runs' | 'rename_run' | 'duplicate_run' | 'delete_run' }
>;

/** Carries the command out and gives the list of runs after it. Throws CheckpointError. */
export async function manageRuns(store: RunStore, command: LibraryCommand): Promise<Event> {
  switch (command.type) {
    case 'list_runs':
      break;
    case 'rename_run':
      await store.rename(command.run, command.name);
      break;
    case 'duplicate_run':
      await store.duplicate(command.run, randomId(), command.name);
      break;
    case 'delete_run':
      await store.delete(command.run);
      break;
    default:
      command satisfies never;
  }
  return { type: 'runs', runs: await store.list(), storage: await store.storage() };
}
