/** Ranks over message ports: values arrive in order, and a rank that is gone or silent is noticed. */
import { afterEach, expect, test } from 'vitest';
import { connectRank } from '../../protocol/rank_port.ts';
import { Group } from '../collectives.ts';
import { Recorder } from '../traffic.ts';
import { RankLost } from './link.ts';
import { PortLink } from './ports.ts';

const links: PortLink[] = [];

afterEach(() => {
  for (const link of links.splice(0)) link.close();
});

/** Two ranks with a channel between them. */
function twoRanks(patience: number): [PortLink, PortLink] {
  const { port1, port2 } = new MessageChannel();
  const make = (rank: number, other: number, port: MessagePort): PortLink => {
    const ports = new Map([[other, connectRank(port)]]);
    const link = new PortLink({ rank, ports, patience: () => patience });
    links.push(link);
    return link;
  };
  return [make(0, 1, port1), make(1, 0, port2)];
}

const groupOf = (link: PortLink): Group => new Group([0, 1], link, new Recorder());

test('an all-reduce has the same bits on both ranks', async () => {
  const [a, b] = twoRanks(5000).map(groupOf);
  const [ofA, ofB] = await Promise.all([
    a?.allReduce(Float32Array.of(0.1, 2, 3), 'x'),
    b?.allReduce(Float32Array.of(0.2, 5, 7), 'x'),
  ]);
  expect(ofA).toEqual(Float32Array.of(Math.fround(0.1) + Math.fround(0.2), 7, 10));
  expect(ofB).toEqual(ofA);
});

test('a rank that does not answer is lost soon after the patience has passed', async () => {
  const [link] = twoRanks(600);
  const began = performance.now();
  await expect(link.receive(1, 'x')).rejects.toThrow(
    'Rank 1 has not answered for 0.6 seconds, so the run has ended.',
  );
  expect(performance.now() - began).toBeLessThan(5000);
});

test('time in which the waiting rank itself was blocked does not count as waiting', async () => {
  const [link, other] = twoRanks(500);
  const waiting = link.receive(1, 'x');
  await new Promise((resolve) => setTimeout(resolve, 150));
  const until = performance.now() + 800;
  while (performance.now() < until);
  setTimeout(() => other.send(0, 'x', Float32Array.of(7)), 250);
  expect((await waiting).data).toEqual(Float32Array.of(7));
});

test('a rank whose port closes is lost at once', async () => {
  const [link, other] = twoRanks(60_000);
  const waiting = link.receive(1, 'x');
  other.close();
  await expect(waiting).rejects.toThrow(RankLost);
  await expect(link.receive(1, 'y')).rejects.toThrow('Rank 1 is gone, so the run has ended.');
});
