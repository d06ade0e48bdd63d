/** The host's page: the room itself, what is kept of it, and the ways in. */
import { parseConfig, type RunConfig } from '../../config/index.ts';
import { memoryChannels, type PoolChannel } from '../../parallel/pool/channel.ts';
import { type OuterConfig, OuterOptimizer } from '../../parallel/pool/diloco.ts';
import { PoolError } from '../../parallel/pool/error.ts';
import { Host } from '../../parallel/pool/host.ts';
import {
  type HostMemory,
  type Plan,
  ROOM_LETTERS,
  type SentText,
} from '../../parallel/pool/schema.ts';
import type { Invitation } from '../../parallel/pool/transport/codes.ts';
import type { OpenedRoom } from '../../parallel/pool/transport/peer_room.ts';
import type { FormStore } from '../form.ts';
import { keepRoom, leftRoom, memberToken } from './left_room.ts';
import type { PoolClient, RunTrainer } from './run_trainer.ts';
import { readRoom, writeRoom } from './saved_room.ts';

/** The state of the room is kept at most this often, milliseconds. */
const KEEP_MS = 3000;

/** Name of the run of a room, on every page. */
const RUN_NAME = 'Trained together';

interface Room {
  code: string;
  /** Of the host's own page as a member. */
  token: string;
  plan: Plan;
  optimizer: OuterOptimizer;
  memory: HostMemory;
}

interface Context {
  client: PoolClient;
  trainer: RunTrainer;
  /** Version of the page. */
  build: string;
  changed: () => void;
}

export class HostSession {
  readonly host: Host;
  readonly room: Room;
  readonly #context: Context;
  #opened: OpenedRoom | null = null;
  #invitation: Invitation | null = null;
  #kept = -Infinity;
  #closed = false;
  #keeping: Promise<void> = Promise.resolve();

  private constructor(room: Room, context: Context) {
    this.room = room;
    this.#context = context;
    const { code, plan, optimizer, memory } = room;
    const { build, client, changed } = context;
    const text = roomText(client.stores.form, parseConfig(plan.config));
    this.host = new Host({
      room: { code, build, plan, text },
      optimizer,
      memory,
      now: () => performance.now(),
      changed,
      applied: () => void this.keep((memory.records.at(-1)?.step ?? 0) >= plan.steps),
    });
  }

  /** A room that trains the recipe of the form. Rejects with a sentence. */
  static async create(outer: OuterConfig, context: Context): Promise<HostSession> {
    const { form } = context.client.stores;
    const config = roomConfig(form);
    const { trainer } = context;
    const parameters = await trainer.begin(config, RUN_NAME);
    // There has to be something to come back to.
    await trainer.save();
    const plan: Plan = {
      config: { ...config },
      name: RUN_NAME,
      n_params: parameters.length,
      steps: config.training.max_iters,
      ...outer,
    };
    const optimizer = OuterOptimizer.fresh(plan, parameters);
    const memory = { records: [], evaluations: [] };
    const room = { code: newCode(), token: memberToken(), plan, optimizer, memory };
    const session = new HostSession(room, context);
    await session.keep(true);
    return session;
  }

  /** The room of this browser whose page was closed. Rejects with a sentence. */
  static async reopen(context: Context): Promise<HostSession> {
    const { client, trainer } = context;
    const left = leftRoom();
    if (!left) throw nothingLeft();
    const { run } = left;
    const { bytes } = await client.request((id) => ({ type: 'read_pool', id, run }));
    const saved = bytes && readRoom(bytes);
    if (!saved) throw nothingLeft();
    await trainer.reopen(run);
    const optimizer = new OuterOptimizer(saved.plan, saved.state);
    return new HostSession({ ...saved, optimizer }, context);
  }

  /** A connection of the host's own page. */
  ownChannel(): PoolChannel {
    const [here, there] = memoryChannels();
    this.host.accept(there, this.room.token);
    return here;
  }

  /** Lets members in by letters. Rejects with a PoolError where the page's server has no rooms. */
  async openToLetters(page: URL): Promise<void> {
    const { openRoom } = await import('../../parallel/pool/transport/peer_room.ts');
    const opened = await openRoom(this.room.code, page, (channel) => this.host.accept(channel));
    if (this.#closed) opened.close();
    this.#opened = opened;
  }

  /** A code for one member. */
  async invite(): Promise<string> {
    const { invite } = await import('../../parallel/pool/transport/codes.ts');
    this.#invitation?.close();
    this.#invitation = await invite(this.room.code);
    return this.#invitation.code;
  }

  /** The code whose answer is still to come. */
  get invitation(): string | null {
    return this.#invitation?.code ?? null;
  }

  /**
   * Lets the member in whose answer this is. Rejects with a PoolError; the code is then good for
   * another answer, unless the connection itself has failed.
   */
  async acceptAnswer(answer: string): Promise<void> {
    const invitation = this.#invitation;
    if (!invitation) return;
    const end = (): void => {
      if (this.#invitation === invitation) this.#invitation = null;
    };
    try {
      const channel = await invitation.accept(answer);
      end();
      if (this.#closed) channel.close();
      else this.host.accept(channel);
    } catch (error) {
      if (!(error instanceof PoolError) || error.code !== 'blocked') throw error;
      invitation.close();
      end();
      throw error;
    }
  }

  /** Keeps the state of the room with the run, at most every few seconds unless `now`. */
  keep(now = false): Promise<void> {
    const time = performance.now();
    const { run } = this.#context.trainer;
    if (run === null || (!now && time - this.#kept < KEEP_MS)) return this.#keeping;
    this.#kept = time;
    const { code, token, plan, memory, optimizer } = this.room;
    const bytes = writeRoom({ code, token, plan, memory, state: optimizer.state });
    keepRoom({ code, run, name: plan.name });
    // A storage that refuses costs the way back only, not the training.
    this.#keeping = this.#context.client
      .request((id) => ({ type: 'keep_pool', id, run, bytes }))
      .then(
        () => undefined,
        () => undefined,
      );
    return this.#keeping;
  }

  close(): void {
    this.#closed = true;
    this.#opened?.close();
    this.#invitation?.close();
  }
}

const nothingLeft = (): PoolError =>
  new PoolError(
    'no_room',
    'What this browser had kept of the room is gone.',
    'Create a new room from the run in the library.',
  );

function newCode(): string {
  const draws = crypto.getRandomValues(new Uint32Array(6));
  return Array.from(draws, (draw) => ROOM_LETTERS[draw % ROOM_LETTERS.length]).join('');
}

/** The recipe of the form, as every member trains it. Throws PoolError. */
function roomConfig(form: FormStore): RunConfig {
  const config = structuredClone(form.getState().config);
  if (config.tokenizer.kind === 'imported') {
    throw new PoolError(
      'failed',
      'A tokenizer from a file cannot be sent to a room yet.',
      'Choose characters, bytes or BPE as the tokenizer.',
    );
  }
  // Parameters between two exchanges are not worth an evaluation.
  config.training.eval_interval = config.training.max_iters;
  return config;
}

/** The user's own text, which members get from the host; null for texts that every page has. */
function roomText(
  form: FormStore,
  config: RunConfig,
): { reading: SentText; bytes: Uint8Array } | null {
  const { text } = form.getState();
  if (config.data.corpus !== 'own' || !text) return null;
  const { bytes, files, ...reading } = text;
  return { reading: { ...reading, files: files && [...files] }, bytes };
}
