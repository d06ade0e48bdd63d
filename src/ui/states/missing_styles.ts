/**
 * Style sheets of lazily loaded parts that did not arrive. Vite requests each sheet once, and a
 * second import of the part would show it without its styles.
 */

const missing = new Set<string>();

/** Remembers the style sheet that a failed import names, if it names one. */
export function noteMissingStyles(error: unknown): void {
  const address = /Unable to preload CSS for (\S+)/u.exec(String(error))?.[1];
  if (address !== undefined) missing.add(address);
}

/** Requests the missing style sheets again. Rejects, as Vite does, if one does not arrive. */
export async function loadMissingStyles(): Promise<void> {
  await Promise.all([...missing].map(loadStyles));
}

function loadStyles(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = address;
    link.addEventListener('load', () => {
      missing.delete(address);
      resolve();
    });
    link.addEventListener('error', () => {
      link.remove();
      reject(new Error(`Unable to preload CSS for ${address}`));
    });
    document.head.append(link);
  });
}
