/**
 * One rank of a run whose ranks are in two browsers: the rank's own worker, as the lab starts it, and a
 * data channel of the pool's transport to the other page. `gpu_cards.cjs` drives both pages by
 * `window.cards`, and carries the codes by which they find each other.
 */
import { ONE_RANK, type RankStep } from '../../src/common/index.ts';
import { decodeConfig } from '../../src/config/index.ts';
import type { PoolChannel } from '../../src/parallel/pool/channel.ts';
import { answer, type Invitation, invite } from '../../src/parallel/pool/transport/codes.ts';
import { connectRank, connectWorker, type Event } from '../../src/protocol/index.ts';
import { WorkerLink } from '../../src/store/worker_link.ts';
import { type MeasuredStep, measureStep } from './cards_measures.ts';
import { Bridge } from './cards_wire.ts';

/** Streams of the channel between the pages. */
const RANKS = 0;
/** Between the workers that add up gradients on the processor. */
const REDUCERS = 1;
const PINGS = 2;
const PONGS = 3;

/** Letters of a room; each pair of pages is a room of its own. */
const ROOM = 'CARDSX';

export interface OpenOptions {
  /** The configuration, as in the address of the page. */
  query: string;
  rank: number;
  /** 1 or 2. */
  dp: number;
}

export interface OpenedFacts {
  backend: string;
  n_params: number;
  vocab_size: number;
  row_length: number;
  /** Rows of a step of all ranks. */
  rows: number;
}

export interface RoundTrip {
  megabytes: number;
  ms: number;
}

class Cards {
  #bridge: Bridge | null = null;
  #invitation: Invitation | null = null;
  #answered: Promise<PoolChannel> | null = null;
  #link: WorkerLink | null = null;
  #steps: MeasuredStep[] = [];
  #failure = '';

  /** The code for the other page. */
  async invite(): Promise<string> {
    this.#invitation = await invite(ROOM);
    return this.#invitation.code;
  }

  /** The code to take back. */
  async answer(offer: string): Promise<string> {
    const { code, channel } = await answer(offer);
    this.#answered = channel;
    return code;
  }

  /** Resolves when the pages are connected; the page that has invited passes the answer. */
  async connect(code: string | null): Promise<void> {
    const channel = code === null ? this.#answered : this.#invitation?.accept(code);
    if (!channel) throw new Error('Exchange the codes first.');
    const bridge = new Bridge(await channel);
    bridge.onMessage(PINGS, (message) => bridge.send(PONGS, message));
    this.#bridge = bridge;
  }

  /** Sends values to the other page, which sends them back. */
  async roundTrip(megabytes: number): Promise<RoundTrip> {
    const bridge = this.#connected();
    const data = new Float32Array((megabytes * 2 ** 20) / Float32Array.BYTES_PER_ELEMENT).fill(1);
    const began = performance.now();
    await new Promise<void>((resolve) => {
      bridge.onMessage(PONGS, () => resolve());
      bridge.send(PINGS, { tag: 'ping', data, sent: began });
    });
    return { megabytes, ms: performance.now() - began };
  }

  /** Starts the rank. Both pages have to be asked, since ranks begin together. */
  async open({ query, rank, dp }: OpenOptions): Promise<OpenedFacts> {
    const config = decodeConfig(query);
    const link = new WorkerLink(spawn, {
      event: (event) => this.#hear(event),
      started: () => undefined,
      silent: () => undefined,
      died: (reason) => (this.#failure = reason),
    });
    this.#link = link;
    link.send({ type: 'set_threads', threads: 1 });
    const { backend, n_params, vocab_size, row_length } = await link.request((id) => ({
      type: 'open_rank',
      ...{ id, rank, config },
      mesh: { ...ONE_RANK, dp },
      backend: config.runtime.backend,
      ports: dp === 1 ? [] : [{ rank: 1 - rank, port: this.#portTo(RANKS) }],
      reducer_ports: dp === 1 ? [] : [{ rank: 1 - rank, port: this.#portTo(REDUCERS) }],
      resume: null,
      child: null,
    }));
    const { batch_size, gradient_accumulation_steps } = config.training;
    const rows = batch_size * gradient_accumulation_steps;
    return { backend, n_params, vocab_size, row_length, rows };
  }

  /** What this rank has measured of its next steps. */
  async train(steps: number): Promise<MeasuredStep[]> {
    const link = this.#link;
    if (!link) throw new Error('Open the rank first.');
    this.#steps = [];
    await link.request((id) => ({ type: 'train_rank', id, steps }));
    if (this.#failure) throw new Error(this.#failure);
    return this.#steps;
  }

  /** Ends the rank's worker, so that its device is free. */
  close(): void {
    this.#link?.close();
    this.#link = null;
  }

  #connected(): Bridge {
    if (!this.#bridge) throw new Error('Connect the pages first.');
    return this.#bridge;
  }

  /** A port to the other page, for a worker. */
  #portTo(stream: number): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#connected().join(stream, connectRank(port2));
    return port1;
  }

  #hear(event: Event): void {
    if (event.type === 'rank_step') this.#keep(event.step);
  }

  #keep(report: RankStep): void {
    this.#steps.push(measureStep(report));
  }
}

const spawn = () =>
  connectWorker(
    new Worker(new URL('../../src/worker.ts', import.meta.url), {
      type: 'module',
      name: 'terrarium',
    }),
  );

declare global {
  interface Window {
    cards: Cards;
  }
}
window.cards = new Cards();
