/**
 * The typed port between page and worker: the only place that calls postMessage.
 *
 * Each side checks the `type` of a message before passing it on. A message of an unknown type is
 * logged and ignored: it may come from an older version of the page, or from a browser extension.
 * The worker's side answers `ping` by itself.
 */
import type { MetricColumns } from '../common/index.ts';
import type { Command } from './commands.ts';
import type { Event } from './events.ts';
import { isModelEvent, MODEL_COMMANDS, MODEL_EVENTS } from './models.ts';
import { isRankEvent, RANK_COMMANDS, RANK_EVENTS } from './ranks.ts';
import type { ImportedFile, ParentSource } from './types.ts';
import { listenForDeath } from './worker_death.ts';

const COMMANDS: Record<Command['type'], true> = {
  open: true,
  set_threads: true,
  ping: true,
  prepare: true,
  start: true,
  resume: true,
  import: true,
  train: true,
  pause: true,
  step: true,
  stop: true,
  save: true,
  release: true,
  set_lr_multiplier: true,
  set_sampling: true,
  set_view: true,
  generate: true,
  stop_generation: true,
  tokenize: true,
  export: true,
  list_runs: true,
  rename_run: true,
  duplicate_run: true,
  delete_runs: true,
  restore_runs: true,
  purge_runs: true,
  set_budget: true,
  back_up: true,
  restore_backup: true,
  cancel_backup: true,
  load_history: true,
  cancel: true,
  compare: true,
  profile: true,
  lose_device: true,
  ...MODEL_COMMANDS,
  ...RANK_COMMANDS,
};
const EVENTS: Record<Event['type'], true> = {
  device: true,
  pong: true,
  calibration: true,
  mark: true,
  phase: true,
  data: true,
  started: true,
  metrics: true,
  sample: true,
  best: true,
  token: true,
  generation_done: true,
  tokens: true,
  saved: true,
  released: true,
  importing: true,
  exported: true,
  runs: true,
  backup: true,
  backup_restored: true,
  backup_progress: true,
  history: true,
  comparison: true,
  profile: true,
  notice: true,
  error: true,
  resolved: true,
  finished: true,
  ...MODEL_EVENTS,
  ...RANK_EVENTS,
};

function hasKnownType(value: unknown, known: object): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'type' in value &&
    typeof value.type === 'string' &&
    Object.hasOwn(known, value.type)
  );
}
export function isCommand(value: unknown): value is Command {
  return hasKnownType(value, COMMANDS);
}
export function isEvent(value: unknown): value is Event {
  return hasKnownType(value, EVENTS);
}

const columnBuffers = (columns: MetricColumns | null): Transferable[] =>
  columns === null ? [] : Object.values(columns).flatMap((column) => transferable(column));

/** A view of part of a buffer is copied: transferring would take the rest from its owner. */
function transferable(view: Float64Array | Float32Array | Uint8Array): Transferable[] {
  const { buffer } = view;
  return buffer instanceof ArrayBuffer && view.byteLength === buffer.byteLength ? [buffer] : [];
}

/**
 * What is transferred, not copied, when the page sends a command: the bytes of imported files, and
 * ports to other ranks.
 */
export function commandTransfers(command: Command): Transferable[] {
  if (command.type === 'open_rank')
    return [...command.ports, ...command.reducer_ports].map(({ port }) => port);
  const buffers = importedFiles(command).flatMap((file) => transferable(file.bytes));
  return [...new Set(buffers)];
}

function importedFiles(command: Command): readonly ImportedFile[] {
  if (command.type === 'import') return command.files;
  if (command.type === 'open_model') return filesOf(command.source);
  return command.type === 'start' ? filesOf(command.parent) : [];
}

const filesOf = (source: ParentSource | undefined): readonly ImportedFile[] =>
  source && 'files' in source ? source.files : [];

/**
 * What is transferred, not copied, when the worker emits an event: metric columns and exported
 * bytes.
 */
export function eventTransfers(event: Event): Transferable[] {
  if (event.type === 'round_trained') return transferable(event.parameters);
  if (isModelEvent(event) || isRankEvent(event)) return [];
  switch (event.type) {
    case 'metrics':
    case 'history':
      return [...new Set(columnBuffers(event.columns))];
    case 'started':
      return [...new Set(columnBuffers(event.history))];
    case 'exported':
      return transferable(event.bytes);
    case 'device':
    case 'pong':
    case 'calibration':
    case 'mark':
    case 'phase':
    case 'data':
    case 'sample':
    case 'best':
    case 'token':
    case 'generation_done':
    case 'tokens':
    case 'saved':
    case 'released':
    case 'importing':
    case 'runs':
    case 'backup':
    case 'backup_restored':
    case 'backup_progress':
    case 'comparison':
    case 'profile':
    case 'notice':
    case 'error':
    case 'resolved':
    case 'finished':
      return [];
    default:
      return event satisfies never;
  }
}

/** The page's end. `close` ends the worker at once; whatever it has not saved is lost. */
export interface PagePort {
  send(command: Command): void;
  onEvent(listener: (event: Event) => void): void;
  /** The worker threw an unhandled error, sent an unreadable message, or could not be loaded. */
  onDeath(listener: (reason: string) => void): void;
  close(): void;
}

/** The worker's end. */
export interface WorkerPort {
  emit(event: Event): void;
  onCommand(listener: (command: Command) => void): void;
}

/** The part of `Worker` that the page's port needs; tests pass their own. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(
    type: 'message' | 'error' | 'messageerror',
    listener: (event: globalThis.Event) => void,
  ): void;
  terminate(): void;
}

/** The part of a dedicated worker's global scope that the worker's port needs. */
export interface ScopeLike {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
}

const dataOf = (event: globalThis.Event): unknown => ('data' in event ? event.data : undefined);

/** Wraps a worker that the caller has just created. */
export function connectWorker(worker: WorkerLike): PagePort {
  return {
    send: (command) => worker.postMessage(command, commandTransfers(command)),
    onEvent: (listener) =>
      worker.addEventListener('message', (message) => {
        const data = dataOf(message);
        if (isEvent(data)) listener(data);
        else console.warn('A message of an unknown type from the worker was ignored.', data);
      }),
    onDeath: (listener) => listenForDeath(worker, listener),
    close: () => worker.terminate(),
  };
}

/** Called once by worker.ts with its global scope. */
export function connectPage(scope: ScopeLike): WorkerPort {
  const emit = (event: Event): void => scope.postMessage(event, eventTransfers(event));
  return {
    emit,
    onCommand: (listener) =>
      scope.addEventListener('message', (message) => {
        if (!isCommand(message.data))
          console.warn('A message of an unknown type from the page was ignored.', message.data);
        else if (message.data.type === 'ping') emit({ type: 'pong', id: message.data.id });
        else listener(message.data);
      }),
  };
}
