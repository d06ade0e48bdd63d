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
