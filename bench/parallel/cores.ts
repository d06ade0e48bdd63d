/** Binds threads to processor cores on Linux, one thread a core, so that they do not share one. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

/**
 * The processors that this process may use, one of each physical core first, then their siblings.
 * Empty where the system does not tell.
 */
export function processors(): number[] {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    const allowed = numbersOf(/^Cpus_allowed_list:\s*(\S+)/mu.exec(status)?.[1] ?? '');
    const firsts = allowed.filter(
      (cpu) => cpu === siblingsOf(cpu).find((s) => allowed.includes(s)),
    );
    return [...firsts, ...allowed.filter((cpu) => !firsts.includes(cpu))];
  } catch {
    return [];
  }
}

/** Binds the calling thread. Returns whether it is bound. */
export function bindThread(cpu: number): boolean {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1) ?? '';
    execFileSync('taskset', ['-cp', String(cpu), thread], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Binds all threads that this process has, and with them those that its main thread will start. */
export function bindProcess(cpus: readonly number[]): boolean {
  try {
    execFileSync('taskset', ['-acp', cpus.join(','), String(process.pid)], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Milliseconds that the calling thread has run, and those in which it was ready and did not (proc(5),
 * schedstat), to the system's tick; null where the system does not tell.
 */
export function threadTimes(): { ran: number; delayed: number } | null {
  try {
    const times = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ').map(Number);
    const [ran = NaN, delayed = NaN] = times.map((ns) => ns / 1e6);
    return { ran, delayed };
  } catch {
    return null;
  }
}

/** Milliseconds that the host took from each processor so far; empty where it does not tell. */
export function stolenTimes(): Map<number, number> {
  try {
    const lines = readFileSync('/proc/stat', 'utf8').matchAll(/^cpu(\d+) (.*)$/gmu);
    return new Map(
      Array.from(lines, ([, cpu, times]) => [Number(cpu), 10 * Number(times?.split(' ')[7])]),
    );
  } catch {
    return new Map();
  }
}

function siblingsOf(cpu: number): number[] {
  try {
    const path = `/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
    return numbersOf(readFileSync(path, 'utf8').trim());
  } catch {
    return [cpu];
  }
}

/** `0-2,5` is 0, 1, 2, 5. */
function numbersOf(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = NaN, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
