/**
 * Lets the page use all cores where its host does not isolate it: the service worker then adds the
 * headers that the host does not send (vite/isolation.ts).
 */
import { Switch } from '@mantine/core';
import { useEffect, useState } from 'react';
import { suspend } from '../../store/index.ts';
import { useClient } from '../context.tsx';

/** The cache and the entry by which vite/isolation.ts knows that it was asked. */
const CACHE = 'isolation';
const ENTRY = './isolated';

async function isAsked(): Promise<boolean> {
  return 'caches' in window && (await caches.match(ENTRY, { cacheName: CACHE })) !== undefined;
}

async function ask(isWanted: boolean): Promise<void> {
  if (isWanted) await (await caches.open(CACHE)).put(ENTRY, new Response('1'));
  else await caches.delete(CACHE);
}

export function IsolationSwitch() {
  const client = useClient();
  const [asked, setAsked] = useState(false);
  useEffect(() => {
    void isAsked().then(setAsked);
  }, []);
  const hasServiceWorker = Boolean(navigator.serviceWorker?.controller);
  if (navigator.hardwareConcurrency === 1) return null;
  if (crossOriginIsolated && !asked) return null;
  if (!hasServiceWorker)
    return (
      <p className="small muted">
        One thread: the host of this page does not send the headers that let it use more.
      </p>
    );
  const change = async (isWanted: boolean): Promise<void> => {
    if (!(await suspend(client))) {
      client.notify('Nothing was changed, because the current run could not be saved.');
      return;
    }
    await ask(isWanted);
    location.reload();
  };
  return (
    <div className="threads">
      <Switch
        label="Use all cores"
        checked={asked && crossOriginIsolated}
        onChange={({ currentTarget: { checked } }) => void change(checked)}
      />
      <p className="small muted">
        Saves the run and reloads the page, isolated from pages of other sites.
      </p>
    </div>
  );
}
