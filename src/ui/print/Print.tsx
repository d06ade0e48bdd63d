/** Puts a report of the run in the place of the page while it is printed. */
import { useEffect, useState, type ComponentType } from 'react';
import { flushSync } from 'react-dom';
import { isMoving, type Client } from '../../store/index.ts';
import { useRun } from '../context.tsx';
import { usePlace } from '../place.ts';
import '../styles/print.css';

let Report: ComponentType | null = null;
const load = async (): Promise<void> => {
  Report = (await import('./Report.tsx')).default;
};

export function Print() {
  const hasRun = useRun((state) => state.run !== null);
  const atRest = useRun((state) => state.run !== null && !isMoving(state.phase));
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    // The browser's own print command does not wait for a download.
    if (atRest) load().catch(() => undefined);
  }, [atRest]);
  useEffect(() => {
    const before = (): void => flushSync(() => setPrinting(true));
    const after = (): void => setPrinting(false);
    window.addEventListener('beforeprint', before);
    window.addEventListener('afterprint', after);
    return () => {
      window.removeEventListener('beforeprint', before);
      window.removeEventListener('afterprint', after);
    };
  }, []);
  // There, the report card of a chain is printed instead.
  const isCard = usePlace((place) => place.at === 'evaluate');
  return printing && hasRun && !isCard && Report ? <Report /> : null;
}

/** Opens the browser's print dialog with the report of the current run. */
export async function printReport(client: Client): Promise<void> {
  try {
    await load();
    window.print();
  } catch {
    client.notify('The report could not be downloaded. Check the network and try again.');
  }
}
