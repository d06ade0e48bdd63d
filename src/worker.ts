/** The worker: everything that computes. It speaks to the page through the port alone. */
import { connectPage } from './protocol/index.ts';
import { keepForOffline } from './worker/keep_offline.ts';
import { Session } from './worker/session.ts';

const port = connectPage(self);
new Session({
  ...port,
  emit: (event) => {
    port.emit(event);
    // By now a backend, or a text, has been fetched.
    if (import.meta.env.PROD && (event.type === 'device' || event.type === 'data'))
      void keepForOffline();
  },
});
