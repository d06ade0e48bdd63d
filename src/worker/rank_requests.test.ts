import { expect, test, vi } from 'vitest';
import type { Event } from '../protocol/index.ts';
import { Device } from './device.ts';
import { RankRequests } from './rank_requests.ts';
import { SessionHarness } from './testing_session.ts';

const missing = (): never => {
  throw new TypeError('Failed to fetch dynamically imported module: ./assets/part.js');
};

class Missing {
  constructor() {
    missing();
  }
}

test('ranks whose program cannot be downloaded say so, even if their sentences cannot be either', async () => {
  vi.doMock('./ranks/rank_session.ts', () => ({ RankSession: Missing }));
  vi.doMock('./ranks/rank_error.ts', missing);
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const { services, store } = new SessionHarness();
  const events: Event[] = [];
  const requests = new RankRequests({
    services,
    device: new Device(services, { opened: () => undefined, lost: () => undefined }),
    emit: (event) => events.push(event),
    mark: () => undefined,
    storage: () => Promise.resolve(store),
    prepareText: () => Promise.reject(new Error('No text was expected.')),
  });
  requests.route({ type: 'evaluate_rank', id: 7 });
  await vi.waitFor(() => expect(events).toHaveLength(1));
  expect(events[0]).toMatchObject({ type: 'error', id: 7 });
  expect(JSON.stringify(events[0])).toContain('A part of the page could not be downloaded.');
});
