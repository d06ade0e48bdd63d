/**
 * What the page can do with a room: create it, open it again, join it, steer it, leave it. The host's
 * own page is a member, too, over a channel inside the page.
 */
import type { PoolChannel } from '../../parallel/pool/channel.ts';
import type { OuterConfig } from '../../parallel/pool/diloco.ts';
import { PoolError } from '../../parallel/pool/error.ts';
import { Member } from '../../parallel/pool/member.ts';
import type { Answered } from '../../parallel/pool/transport/codes.ts';
import { CodeConnection } from './code_connection.ts';
import { HostSession } from './host_session.ts';
import { forgetRoom, leftRoom, memberToken } from './left_room.ts';
import { createRoomState, NO_ROOM, type RoomState, type RoomStore } from './room_state.ts';
import { RunTrainer, type PoolClient } from './run_trainer.ts';

const TICK_MS = 1000;
/** Between two attempts to open a room under its letters, milliseconds. */
const RETRY_MS = 3000;
/** The page is drawn at most this often, milliseconds. */
const SHOW_MS = 100;

export interface RoomSettings extends OuterConfig {
  /** Name of this page's member. */
  name: string;
}

interface Joining {
  code: string;
  name: string;
  token: string;
  connect: () => Promise<PoolChannel>;
  evaluates?: boolean;
  isByCode?: boolean;
}

export class Classroom {
  readonly store: RoomStore = createRoomState();
  readonly #client: PoolClient;
  readonly #build: string;
  readonly #page: () => URL;
  #trainer: RunTrainer | null = null;
  #session: HostSession | null = null;
  #member: Member | null = null;
  /** Of a member that joined by a code. */
  #byCode: CodeConnection | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #showing: ReturnType<typeof setTimeout> | undefined;

  /** `build`: version of the page. `page`: its address, beside which the signalling server is. */
  constructor(client: PoolClient, build: string, page: () => URL) {
    this.#client = client;
    this.#build = build;
    this.#page = page;
    this.store.setState({ left: leftRoom() });
  }

  /** Creates a room that trains the recipe of the form. */
  create({ name, ...outer }: RoomSettings): Promise<void> {
    return this.#opening(async () => {
      await this.#host(name, await HostSession.create(outer, this.#context()));
    });
  }

  /** Opens the room again whose page was closed. */
  reopen(name: string): Promise<void> {
    return this.#opening(async () => {
      await this.#host(name, await HostSession.reopen(this.#context()));
    });
  }

  #context() {
    const trainer = this.#newTrainer();
    const { changed } = this;
    return { client: this.#client, trainer, build: this.#build, changed };
  }

  async #host(name: string, session: HostSession): Promise<void> {
    const { code, token, plan } = session.room;
    this.#session = session;
    this.store.setState({ role: 'host', code, plan, left: null });
    const connect = (): Promise<PoolChannel> => Promise.resolve(session.ownChannel());
    this.#join({ code, name, token, connect, evaluates: true });
    await this.#openToLetters(session);
  }

  /**
   * Lets members in by letters. The signalling server may still hold the letters for a page that has
   * just died, so a room that is taken is tried again.
   */
  async #openToLetters(session: HostSession): Promise<void> {
    const { code } = session.room;
    try {
      await session.openToLetters(this.#page());
      this.store.setState({ link: `${this.#page().href}#together/${code}`, signals: null });
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      if (this.#session !== session) return;
      this.store.setState({ signals: error });
      if (error.code === 'taken') setTimeout(() => void this.#openToLetters(session), RETRY_MS);
    }
  }

  /** Joins a room by its letters. */
  join(code: string, name: string): void {
    this.#newTrainer();
    this.store.setState({ ...NO_ROOM, role: 'member', code });
    const connect = async (): Promise<PoolChannel> => {
      const { joinRoom } = await import('../../parallel/pool/transport/peer_room.ts');
      return joinRoom(code, this.#page());
    };
    this.#join({ code, name, token: memberToken(), connect });
  }

  /** Joins a room by the host's code; the answer in `answer` has to be taken to the host. */
  joinByCode(offer: string, name: string): Promise<void> {
    return this.#opening(async () => {
      const byCode = new CodeConnection(() => this.store.setState({ answer: null }));
      const answered = await this.#answer(offer, byCode);
      this.#newTrainer();
      const { room: code, code: answer } = answered;
      this.store.setState({ ...NO_ROOM, role: 'member', code, answer });
      byCode.use(answered);
      this.#byCode = byCode;
      const connect = (): Promise<PoolChannel> => byCode.connect();
      this.#join({ code, name, token: memberToken(), connect, isByCode: true });
    });
  }

  /** Connects to the same room again, by another code of the host. */
  async rejoinByCode(offer: string): Promise<void> {
    const byCode = this.#byCode;
    if (!byCode) return;
    try {
      const answered = await this.#answer(offer, byCode);
      if (byCode !== this.#byCode || answered.room !== this.store.getState().code) {
        answered.close();
        throw otherRoom();
      }
      byCode.use(answered);
      this.store.setState({ answer: answered.code, reached: true, invitationProblem: null });
      this.#show();
    } catch (error) {
      this.store.setState({ invitationProblem: problemOf(error) });
    }
  }

  async #answer(offer: string, byCode: CodeConnection): Promise<Answered> {
    const { answer } = await import('../../parallel/pool/transport/codes.ts');
    return answer(offer, (reached) => {
      if (byCode === this.#byCode) this.store.setState({ reached });
    });
  }

  /** Makes a code for one member, as `invitation`. */
  async invite(): Promise<void> {
    try {
      const invitation = (await this.#session?.invite()) ?? null;
      this.store.setState({ invitation, invitationProblem: null });
    } catch (error) {
      this.store.setState({ invitationProblem: problemOf(error) });
    }
  }

  /** Lets the member in whose answer this is. */
  async acceptAnswer(answer: string): Promise<void> {
    try {
      await this.#session?.acceptAnswer(answer);
      const invitation = this.#session?.invitation ?? null;
      this.store.setState({ invitation, invitationProblem: null });
    } catch (error) {
      const invitation = this.#session?.invitation ?? null;
      this.store.setState({ invitation, invitationProblem: problemOf(error) });
    }
  }

  start(): void {
    this.#session?.host.start();
  }
  pause(): void {
    this.#session?.host.pause();
  }
  remove(member: number): void {
    this.#session?.host.remove(member);
  }
  /** Ends training: every member keeps the model. */
  end(): void {
    this.#session?.host.end();
  }

  /** Leaves the room; the run goes back to its page. A room whose host has left is closed. */
  async leave(): Promise<void> {
    const { member } = this.store.getState();
    const trainer = this.#trainer;
    if (this.#session) forgetRoom();
    this.#member?.leave();
    this.#close();
    this.store.setState({ ...NO_ROOM, left: leftRoom() });
    if (member !== 'ended') await trainer?.release();
  }

  /** Gives up the way back to a room whose page was closed. */
  forget(): void {
    forgetRoom();
    this.store.setState({ left: null });
  }

  readonly changed = (): void => {
    this.#showing ??= setTimeout(() => {
      this.#showing = undefined;
      this.#show();
    }, SHOW_MS);
  };

  #join({ code, name, token, connect, evaluates, isByCode }: Joining): void {
    const trainer = this.#trainer;
    if (!trainer) return;
    const now = (): number => performance.now();
    const identity = { room: code, token, name, build: this.#build };
    const { changed } = this;
    const member = new Member({ identity, connect, trainer, evaluates, isByCode, now, changed });
    this.#member = member;
    const tick = (): void => {
      this.#session?.host.tick();
      member.tick();
    };
    this.#timer = setInterval(tick, TICK_MS);
    tick();
    // A member by code changes nothing until the host has its answer, which the page shows.
    this.#show();
  }

  #newTrainer(): RunTrainer {
    this.#close();
    const trainer = new RunTrainer(this.#client);
    this.#trainer = trainer;
    return trainer;
  }

  #close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#showing);
    this.#showing = undefined;
    this.#session?.close();
    this.#session = null;
    this.#member = null;
    this.#byCode?.close();
    this.#byCode = null;
    this.#trainer = null;
  }

  async #opening(action: () => Promise<void>): Promise<void> {
    this.store.setState({ opening: true, problem: null });
    try {
      await action();
    } catch (error) {
      this.#close();
      this.store.setState({ ...NO_ROOM, left: leftRoom(), problem: problemOf(error) });
    } finally {
      this.store.setState({ opening: false });
    }
  }

  #show(): void {
    const member = this.#member;
    if (!member) return;
    const { host } = this.#session ?? {};
    const { records, evaluations } = host?.memory ?? member.memory;
    this.store.setState({
      phase: host?.phase ?? member.roomPhase,
      member: member.state,
      id: member.id,
      plan: member.plan,
      rounds: host?.round ?? member.replica.round ?? 0,
      rows: host?.members ?? member.rows,
      memory: { records: [...records], evaluations: [...evaluations] },
      problem: member.problem,
      needsCode: this.#byCode?.needsCode ?? false,
    });
  }
}

function problemOf(error: unknown): RoomState['problem'] {
  const message = error instanceof Error ? error.message : String(error);
  return { message, hint: error instanceof PoolError ? error.hint : '' };
}

const otherRoom = (): PoolError =>
  new PoolError(
    'bad_code',
    'This code belongs to another room.',
    'Leave this room to join another one.',
  );
