/** Ranks in one thread, for tests and for runs without workers. */
import { type Link, now, RankLost } from './link.ts';
import { Mailbox } from './mailbox.ts';

/** One link per rank. Messages are delivered in a later microtask, as over any other transport. */
export function connectRanks(size: number): Link[] {
  const boxes = Array.from({ length: size }, () => new Mailbox());
  return boxes.map((box, rank) => ({
    rank,
    size,
    send(to, tag, data) {
      boxes[to]?.deliver(rank, tag, { data, sent: now() });
    },
    receive: (from, tag) => box.receive(from, tag),
    close() {
      for (const other of boxes) other.lose(new RankLost(rank, 'is gone'));
    },
  }));
}
