/** One member of a room whose host is played by the test, over a channel and a clock in memory. */
import { expect, it, vi } from 'vitest';
import { memoryChannels, type PoolChannel } from './channel.ts';
import { hashOf } from './diloco.ts';
import { PoolError } from './error.ts';
import { Member, type MemberOptions } from './member.ts';
import { bytesOf, decodeMessage, encodeMessage } from './messages.ts';
import type { Message } from './schema.ts';
import { BUILD, planOf, ROOM, settle, ToyTrainer } from './testing_room.ts';

const N = 4;
const plan = planOf(N);
const shard = { index: 0, count: 1 };

class Bench {
  now = 0;
  readonly trainer = new ToyTrainer(N);
  readonly member: Member;
  /** Types of what the member has sent, in order. */
  readonly sent: Message['type'][] = [];
  #host: PoolChannel | null = null;

  constructor(options: Partial<MemberOptions> = {}) {
    this.member = new Member({
      identity: { room: ROOM, token: '0'.repeat(32), name: 'Member', build: BUILD },
      connect: () => Promise.resolve(this.connect()),
      trainer: this.trainer,
      now: () => this.now,
      ...options,
    });
  }

  connect(): PoolChannel {
    const [here, there] = memoryChannels();
    there.onMessage((bytes) => this.sent.push(decodeMessage(bytes).message.type));
    this.#host = there;
    return here;
  }

  send(message: Message, payload?: Uint8Array): Promise<void> {
    this.#host?.send(encodeMessage(message, payload));
    return settle();
  }

  /** The state of a room after `round` rounds, whose parameters are all `value`. */
  state(round: number, value: number): Promise<void> {
    const parameters = new Float32Array(N).fill(value);
    const payload = bytesOf(Float32Array.from([...parameters, ...new Float32Array(N)]));
    return this.send({ type: 'state', round, hash: hashOf(parameters) }, payload);
  }

  /** The member has joined a room that has done two rounds. */
  async joined(): Promise<this> {
    this.member.tick();
    await settle();
    await this.send({ type: 'welcome', member: 1, plan, text: null });
    await this.state(2, 0.5);
    return this;
  }

  /** Lets the clock run, while the host is silent. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.now += 1000;
      this.member.tick();
      await settle();
    }
  }
}

it.each([
  ['letters', false, 20],
  ['a code, which is good for one connection', true, 60],
])('gives up a silent host by %s (%s) after %i seconds', async (_way, isByCode, seconds) => {
  const bench = await new Bench({ isByCode }).joined();
  await bench.pass(seconds);
  expect(bench.member.state).toBe('waiting');
  await bench.pass(1);
  expect(bench.member.state).toBe('lost');
});

it('waits 20 seconds for its host after it has slept itself, even if it joined by a code', async () => {
  const bench = await new Bench({ isByCode: true }).joined();
  bench.now += 300_000;
  await bench.pass(20);
  expect(bench.member.state).toBe('waiting');
  await bench.pass(2);
  expect(bench.member.state).toBe('lost');
});

it('says that a host that was reached before may sleep', async () => {
  let isFirst = true;
  const connect = (): Promise<PoolChannel> => {
    if (isFirst) return Promise.resolve(bench.connect());
    return Promise.reject(new PoolError('blocked', 'Not reached.', 'Use another network.'));
  };
  const bench: Bench = new Bench({ connect });
  await bench.joined();
  isFirst = false;
  await bench.pass(25);
  expect(bench.member).toMatchObject({
    state: 'lost',
    problem: { message: 'The host’s laptop does not answer.' },
  });
});

it('does not train a round that was closed while it evaluated', async () => {
  const bench = new Bench({ evaluates: true });
  let evaluated: (value: number) => void = () => undefined;
  bench.trainer.evaluate = () => new Promise((resolve) => (evaluated = resolve));
  const train = vi.spyOn(bench.trainer, 'train');
  await bench.joined();
  await bench.send({ type: 'round', round: 2, step: 16, steps: 8, shard });
  expect(bench.member.state).toBe('training');
  // What a member gets that was frozen meanwhile.
  await bench.state(3, 1);
  evaluated(1);
  await settle();
  expect(train).not.toHaveBeenCalled();
  await bench.send({ type: 'round', round: 3, step: 24, steps: 8, shard });
  evaluated(1);
  await settle();
  bench.trainer.tick();
  await settle();
  expect(bench.sent.filter((type) => type === 'contribution')).toHaveLength(1);
});

it('asks for the last parameters of a room whose last mean it missed, and keeps them once', async () => {
  const bench = await new Bench().joined();
  const finish = vi.spyOn(bench.trainer, 'finish');
  await bench.send({ type: 'end', round: 3 });
  expect(finish).not.toHaveBeenCalled();
  expect(bench.sent.at(-1)).toBe('need_state');
  await bench.state(3, 1);
  expect(bench.member.state).toBe('ended');
  await bench.state(3, 1);
  await bench.send({ type: 'end', round: 3 });
  expect(finish.mock.calls).toEqual([[new Float32Array(N).fill(1)]]);
});

it('keeps the last parameters once although the end is said again while it saves them', async () => {
  const bench = await new Bench().joined();
  const finish = vi.spyOn(bench.trainer, 'finish');
  void bench.send({ type: 'end', round: 2 });
  await bench.send({ type: 'end', round: 2 });
  expect(bench.member.state).toBe('ended');
  expect(finish).toHaveBeenCalledOnce();
});

it('tries again to reach a host that cannot be reached, less and less often', async () => {
  const times: number[] = [];
  const bench: Bench = new Bench({
    connect: () => {
      times.push(bench.now / 1000);
      return Promise.reject(new PoolError('offline', 'No host.', 'Wait.'));
    },
  });
  await bench.pass(60);
  const waits = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(waits).toEqual([1, 1, 2, 4, 8, 10, 10, 10, 10]);
  expect(bench.member).toMatchObject({ state: 'connecting', problem: { message: 'No host.' } });
});
