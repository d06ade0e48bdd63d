/** Between a rank and the worker that adds up its gradients: buffers of values are transferred. */
import type { FromReducer, OpenReducer, ToReducer } from '../common/index.ts';
import { holdLifeLock, whenReleased } from './life_lock.ts';
import { listenForDeath } from './worker_death.ts';

/** The rank's end. */
export interface ReducerPort {
  send(message: ToReducer): void;
  onMessage(listener: (message: FromReducer) => void): void;
  /**
   * The worker threw an unhandled error, sent an unreadable message, ended by itself, or could not be
   * loaded.
   */
  onDeath(listener: (reason: string) => void): void;
  close(): void;
}

/** The end of the worker that adds up. */
export interface ReducerScope {
  emit(message: FromReducer): void;
  onMessage(listener: (message: ToReducer) => void): void;
}

/** A worker, its global scope, or one end of a MessageChannel. */
interface End {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<unknown>) => void): void;
  addEventListener(type: 'error' | 'messageerror', listener: (event: Event) => void): void;
}

type Opening = { type: 'open' } & OpenReducer;
/** The worker holds this lock as long as it exists. */
type Alive = { type: 'alive'; lock: string };
const TO_REDUCER: Record<(ToReducer | Opening)['type'], true> = {
  open: true,
  reduce: true,
  rank_gone: true,
};
const FROM_REDUCER: Record<FromReducer['type'], true> = { reduced: true, failed: true };
const ALIVE: Record<Alive['type'], true> = { alive: true };

function isOneOf<M extends { type: string }>(
  value: unknown,
  types: Record<M['type'], true>,
): value is M {
  if (typeof value !== 'object' || value === null || !('type' in value)) return false;
  return typeof value.type === 'string' && Object.hasOwn(types, value.type);
}

const buffersOf = (values: readonly Float32Array<ArrayBuffer>[]): Transferable[] => [
  ...new Set(values.map(({ buffer }) => buffer)),
];

/** Tells the worker which rank it serves. `close` ends the worker. */
export function connectReducer(end: End, open: OpenReducer, close: () => void): ReducerPort {
  const opening: Opening = { type: 'open', ...open };
  end.postMessage(
    opening,
    open.ports.map(({ port }) => port),
  );
  return {
    send: (message) =>
      end.postMessage(message, message.type === 'reduce' ? buffersOf(message.slices) : []),
    onMessage: (listener) =>
      end.addEventListener('message', ({ data }) => {
        if (isOneOf<FromReducer>(data, FROM_REDUCER)) listener(data);
      }),
    onDeath: (listener) => {
      listenForDeath(end, listener);
      end.addEventListener('message', ({ data }) => {
        if (isOneOf<Alive>(data, ALIVE)) whenReleased(data.lock, () => listener('it has ended'));
      });
    },
    close,
  };
}

/** Called once by the worker, with its global scope; `opened` is called with the first message. */
export function connectRankOfReducer(
  end: End,
  opened: (scope: ReducerScope, open: OpenReducer) => void,
): void {
  let listener: (message: ToReducer) => void = () => undefined;
  const scope: ReducerScope = {
    emit: (message) =>
      end.postMessage(message, message.type === 'reduced' ? buffersOf(message.parts) : []),
    onMessage: (next) => {
      listener = next;
    },
  };
  end.addEventListener('message', ({ data }) => {
    if (!isOneOf<ToReducer | Opening>(data, TO_REDUCER)) return;
    if (data.type !== 'open') return listener(data);
    void holdLifeLock().then((lock) => {
      if (lock !== null) end.postMessage({ type: 'alive', lock }, []);
    });
    opened(scope, data);
  });
}
