/**
 * The typed port between page and worker: the only place that says postMessage.
 *
 * Each side checks a message's `type` before it is passed on; a message of an unknown type is
 * reported, not thrown, so that an old page with a new worker (or a browser extension that speaks
 * out of turn) does no harm. The worker's side answers `ping` by itself.
 */
import type { Command, Event, MetricColumns } from './types.ts';

const COMMANDS: Record<Command['type'], true> = {
  open: true,
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
  set_learning_rate: true,
  set_sampling: true,
  generate: true,
  stop_generation: true,
  tokenize: true,
  export: true,
  list_runs: true,
  rename_run: true,
  duplicate_run: true,
  delete_run: true,
  load_history: true,
  cancel: true,
  compare: true,
  profile: true,
  lose_device: true,
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
  token: true,
  generation_done: true,
  tokens: true,
  saved: true,
  exported: true,
  runs: true,
  history: true,
  comparison: true,
  profile: true,
  notice: true,
  error: true,
  finished: true,
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

/**
 * A view of a part of a buffer is copied, not transferred: the rest of that buffer belongs to
 * somebody else.
 */
function transferable(view: Float64Array | Uint8Array): Transferable[] {
  const { buffer } = view;
  return buffer instanceof ArrayBuffer && view.byteLength === buffer.byteLength ? [buffer] : [];
}

/** What is moved rather than copied when the page sends a command: the bytes of files. */
export function commandTransfers(command: Command): Transferable[] {
  const files =
    command.type === 'import' ? command.files.flatMap((file) => transferable(file.bytes)) : [];
  return [...new Set(files)];
}

/**
 * What is moved rather than copied when the worker emits an event: metric columns and exported
 * bytes.
 */
export function eventTransfers(event: Event): Transferable[] {
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
    case 'token':
    case 'generation_done':
    case 'tokens':
    case 'saved':
    case 'runs':
    case 'comparison':
    case 'profile':
    case 'notice':
    case 'error':
    case 'finished':
      return [];
    default:
      return event satisfies never;
  }
}

/** The page's end. `close` ends the worker at once; what it had not saved is lost. */
export interface PagePort {
  send(command: Command): void;
  onEvent(listener: (event: Event) => void): void;
  /**
   * The worker threw outside its own handling, sent what cannot be read, or could not be loaded.
   */
  onDeath(listener: (reason: string) => void): void;
  close(): void;
}

/** The worker's end. */
export interface WorkerPort {
  emit(event: Event): void;
  onCommand(listener: (command: Command) => void): void;
}

/** What of `Worker` the page's port needs; a test hands in its own. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(
    type: 'message' | 'error' | 'messageerror',
    listener: (event: globalThis.Event) => void,
  ): void;
  terminate(): void;
}

/** What of a dedicated worker's global scope the worker's port needs. */
export interface ScopeLike {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
}

const dataOf = (event: globalThis.Event): unknown => ('data' in event ? event.data : undefined);
const messageOf = (event: globalThis.Event): string =>
  'message' in event && typeof event.message === 'string' ? event.message : '';

/** Wraps a worker that the caller has just made. */
export function connectWorker(worker: WorkerLike): PagePort {
  return {
    send: (command) => worker.postMessage(command, commandTransfers(command)),
    onEvent: (listener) =>
      worker.addEventListener('message', (message) => {
        const data = dataOf(message);
        if (isEvent(data)) listener(data);
        else console.warn('A message of an unknown type from the worker was ignored.', data);
      }),
    onDeath: (listener) => {
      worker.addEventListener('error', (event) =>
        listener(messageOf(event) || 'its program could not be loaded'),
      );
      worker.addEventListener('messageerror', () => listener('a message of it could not be read'));
    },
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
