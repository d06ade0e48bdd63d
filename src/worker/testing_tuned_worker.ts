/**
 * Writes what stands in its name, as a run's worker does, for tuned.browser.test.ts: synchronous
 * access exists in workers alone.
 */
import { parseTuned, saveTuned } from './tuned.ts';

void saveTuned(parseTuned(self.name));
