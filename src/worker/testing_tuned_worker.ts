/**
 * Writes the choices that its name contains, as a run's worker does, for tuned.browser.test.ts:
 * synchronous access exists only in workers.
 */
import { parseTuned, saveTuned } from './tuned.ts';

void saveTuned(parseTuned(self.name));
