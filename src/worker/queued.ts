/** Which commands of the page wait for those before them. */
import type { Command, LibraryCommand } from '../protocol/index.ts';

export type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

export type Queued = CommandOf<
  | ('open' | 'prepare' | 'start' | 'resume' | 'import')
  | ('release' | 'tokenize' | 'export' | 'load_history' | 'compare')
  | ('list_runs' | LibraryCommand['type'])
>;
