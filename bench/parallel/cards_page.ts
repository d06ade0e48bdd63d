/**
 * One rank of a run whose ranks are in two browsers: the rank's own worker, as the lab starts it, and a
 * data channel of the pool's transport to the other page. `gpu_cards.cjs` drives both pages by
 * `window.cards`, and carries the codes by which they find each other.
 */
import { ONE_RANK, type RankStep } from '../../src/common/index.ts';
import { decodeConfig, type RunConfig } from '../../src/config/index.ts';
import type { PoolChannel } from '../../src/parallel/pool/channel.ts';
import { answer, type Invitation, invite } from '../../src/parallel/pool/transport/codes.ts';
import { connectRank, connectWorker, type Event } from '../../src/protocol/index.ts';
import { WorkerLink } from '../../src/store/worker_link.ts';
import { type Alone, type AloneLimits, AloneRun, type OpenedFacts } from './cards_alone.ts';
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

/** The configuration of a run, as in the address of the page, and the rank of DP 2. */
export interface OpenOptions {
  query: string;
  rank: number;
}

export interface RoundTrip {
  megabytes: number;
  ms: number;
}

class Cards {
  readonly #channels: PoolChannel[] = [];
  #bridge: Bridge | null = null;
  #invitation: Invitation | null = null;
  #answered: Promise<PoolChannel> | null = null;
  #link: WorkerLink | null = null;
  #steps: MeasuredStep[] = [];
  #failure = '';

  /** Begins a channel. Returns the code for `answer` of the other page. */
  async invite(): Promise<string> {
    this.#invitation = await invite(ROOM);
    return this.#invitation.code;
  }

  /** Takes the code of `invite`. Returns the code for `connect` of the page that has invited. */
  async answer(offer: string): Promise<string> {
    const { code, channel } = await answer(offer);
    this.#answered = channel;
    return code;
  }

  /** Resolves when the channel is open; the page that has invited passes the answer. */
  async connect(code: string | null): Promise<void> {
    const channel = code === null ? this.#answered : this.#invitation?.accept(code);
    if (!channel) throw new Error('Exchange the codes first.');
    this.#channels.push(await channel);
  }

  /** Sends values to the other page, which sends them back, in messages of at most 1 MiB. */
  async roundTrip(megabytes: number): Promise<RoundTrip> {
    const bridge = this.#connected();
    const parts = Math.ceil(megabytes);
    const length = (megabytes * 2 ** 20) / Float32Array.BYTES_PER_ELEMENT / parts;
    const data = new Float32Array(Math.ceil(length)).fill(1);
    const began = performance.now();
    await new Promise<void>((resolve) => {
      let arrived = 0;
      bridge.onMessage(PONGS, () => {
        arrived++;
        if (arrived === parts) resolve();
      });
      for (let i = 0; i < parts; i++) bridge.send(PINGS, { tag: `ping ${i}`, data, sent: began });
    });
    return { megabytes, ms: performance.now() - began };
  }

  /** Sends back what the other page's `roundTrip` sends. Both pages have to be asked. */
  echo(): void {
    const bridge = this.#connected();
    bridge.onMessage(PINGS, (message) => bridge.send(PONGS, message));
  }

  /** Starts the rank. Both pages have to be asked, since ranks begin together. */
  async open({ query, rank }: OpenOptions): Promise<OpenedFacts> {
    const config = decodeConfig(query);
    const link = this.#start((event) => {
      if (event.type === 'rank_step') this.#keep(event.step);
    });
    const { backend, n_params } = await link.request((id) => ({
      type: 'open_rank',
      ...{ id, rank, config },
      mesh: { ...ONE_RANK, dp: 2 },
      backend: config.runtime.backend,
      ports: [{ rank: 1 - rank, port: this.#portTo(RANKS) }],
      reducer_ports: [{ rank: 1 - rank, port: this.#portTo(REDUCERS) }],
      resume: null,
      child: null,
    }));
    return { backend, n_params, rows: rowsOf(config) };
  }

  /**
   * Trains without ranks, by the page's own loop, until `steps` steps after the warm-up are taken, or
   * until the time is over.
   */
  async trainAlone(query: string, limits: AloneLimits): Promise<Alone> {
    const config = decodeConfig(query);
    const run = new AloneRun(limits);
    const link = this.#start((event) => run.hear(event));
    link.send({ type: 'start', run: 'alone', name: 'alone', config });
    try {
      return { ...(await run.ended), facts: { ...run.facts, rows: rowsOf(config) } };
    } finally {
      this.close();
    }
  }

  /** What this rank has measured of its next steps. */
  async train(steps: number): Promise<MeasuredStep[]> {
    const link = this.#link;
    if (!link) throw new Error('Open the rank first.');
    this.#steps = [];
    await link.request((id) => ({ type: 'train_rank', id, steps, autosave: false }));
    if (this.#failure) throw new Error(this.#failure);
    return this.#steps;
  }

  /** Ends the rank's worker, so that its device is free. */
  close(): void {
    this.#link?.close();
    this.#link = null;
  }

  /** The way to the other page over all channels. */
  #connected(): Bridge {
    if (this.#channels.length === 0) throw new Error('Connect the pages first.');
    this.#bridge ??= new Bridge(this.#channels);
    return this.#bridge;
  }

  /** A port to the other page, for a worker. */
  #portTo(stream: number): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#connected().join(stream, connectRank(port2));
    return port1;
  }

  #keep(report: RankStep): void {
    this.#steps.push(measureStep(report));
  }

  /** A new worker with one thread, as a rank has. */
  #start(hear: (event: Event) => void): WorkerLink {
    this.close();
    const link = new WorkerLink(spawn, {
      event: hear,
      started: () => undefined,
      silent: () => undefined,
      died: (reason) => (this.#failure = reason),
    });
    link.send({ type: 'set_threads', threads: 1 });
    this.#link = link;
    return link;
  }
}

const rowsOf = ({ training }: RunConfig): number =>
  training.batch_size * training.gradient_accumulation_steps;

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
