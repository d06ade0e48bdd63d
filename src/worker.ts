/** The worker: everything that computes. It speaks to the page through the port alone. */
import { connectPage } from './protocol/index.ts';
import { keepForOffline } from './worker/keep_offline.ts';
import { Session } from './worker/session.ts';

new Session(connectPage(self));
if (import.meta.env.PROD) keepForOffline();
