/** Asks for the list of runs again whenever the page is looked at: other tabs change it. */
import { useEffect } from 'react';
import { useClient } from '../context.tsx';

export function useFreshRuns(): void {
  const client = useClient();
  useEffect(() => {
    const list = (): void => {
      if (document.visibilityState === 'visible') client.library.list();
    };
    list();
    window.addEventListener('focus', list);
    document.addEventListener('visibilitychange', list);
    return () => {
      window.removeEventListener('focus', list);
      document.removeEventListener('visibilitychange', list);
    };
  }, [client]);
}
