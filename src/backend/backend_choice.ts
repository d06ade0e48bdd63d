/** What is known of a started backend. */
import type { BackendName } from '../config/index.ts';

/** `reason` says why this backend was chosen. Limits are in bytes. */
export interface BackendChoice {
  backend: BackendName;
  reason: string;
  adapter: string;
  limits: { max_buffer_size: number; max_binding_size: number; workgroup_storage: number };
  features: string[];
  /** Bytes that a run may take; absent where the browser does not say. */
  memory_bytes?: number | null;
  /** On our engine on the processor: the threads in use, and the most that can be used here. */
  threads?: ThreadFacts;
}

export interface ThreadFacts {
  count: number;
  most: number;
}

/** How many threads our engine on the processor is to use. */
export interface ThreadChoice {
  /** What was asked for; null: as many as are fastest here. */
  wanted: number | null;
  /** Keeps which number is fastest here, so that it is measured once. */
  memo?: ThreadMemo | undefined;
}

export interface ThreadMemo {
  /** Null if nothing is kept. */
  recall(): Promise<number | null>;
  remember(count: number): Promise<void>;
}

export type StartedBackend = Omit<BackendChoice, 'reason'>;

/** Whether a GPU that computes on the CPU may be taken: only if the backend was asked for by name. */
export type SoftwareGpu = 'allowed' | 'refused';

/** Events of a GPU device. */
export interface DeviceEvents {
  /** The device is lost. Called at most once. */
  lost(reason: string): void;
  /** The driver refused a command. */
  error(message: string): void;
}

/** A backend whose memory we do not count. */
export function withoutGpuDevice(backend: BackendName, adapter: string): StartedBackend {
  const limits = { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 31, workgroup_storage: 0 };
  return { backend, adapter, limits, features: [] };
}
