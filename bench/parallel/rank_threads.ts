/** Trains on ranks in threads of Node, each bound to a core: what `node_ranks.ts` measures. */
import { readFileSync } from 'node:fs';
import { MessagePort as Port, parentPort, threadId, Worker, workerData } from 'node:worker_threads';
import { startBackend } from '../../src/backend/index.ts';
import { groupOf, type Mesh, type RankStep, worldSize } from '../../src/common/index.ts';
import { defaultConfig, type RunConfig } from '../../src/config/index.ts';
import { pretrain } from '../../src/objectives/index.ts';
import { connectRank, connectRankOfReducer, connectReducer } from '../../src/protocol/index.ts';
import { PortLink, RankTrainer, ReducerThread, serveReducer } from '../../src/parallel/index.ts';
import { setBuildLoader } from '../../src/processor/index.ts';
import { bindThread, threadTimes } from './cores.ts';
import { runProbe, type ProbeRole } from './core_probe.ts';

export interface RankRun {
  mesh: Mesh;
  micro_batches: number;
  model: Partial<RunConfig['model']>;
  /** Rows of a micro-batch, of all ranks together. */
  rows: number;
  /** Steps whose reports are dropped. */
  warm_up: number;
  /** Steps after the warm-up, at most. */
  steps: number;
  /** Milliseconds, warm-up included, after which a run ends that has taken two of `steps`. */
  patience: number;
  /** With Infinity all gradients are reduced after the backward pass. */
  bucket_bytes?: number;
  /** Whether gradients are reduced by a thread of their own. */
  reducer: boolean;
  /** The processor of each thread, ranks first, then their reducers; empty binds none. */
  cores: readonly number[];
  /** Milliseconds of a pass of a pipeline: shorter ones are made as long by waiting on their core. */
  pace?: Pace;
}

export interface Pace {
  forward: number;
  backward: number;
}

interface Peer {
  rank: number;
  port: MessagePort;
}

/** A pass as the operating system saw its thread, in the order of the report's spans. */
export interface PassTimes {
  /** Milliseconds on a core; more if another thread runs on the same physical core. */
  ran: number;
  /** Milliseconds in which the thread was ready to run and another one had the core. */
  delayed: number;
}

export interface MeasuredStep extends RankStep {
  /** Empty where the system does not tell. */
  passes: PassTimes[];
}

type Role =
  | ProbeRole
  | { type: 'rank'; run: RankRun; rank: number; peers: Peer[]; reducer: Reducer | null }
  | { type: 'reducer'; port: MessagePort; core: number | undefined };

interface Reducer {
  port: MessagePort;
  peers: Peer[];
}

const VOCAB = 48;

/** All ranks' reports of each step after the warm-up, and whether the threads are bound. */
export async function trainInThreads(
  run: RankRun,
): Promise<{ steps: MeasuredStep[][]; bound: boolean }> {
  const size = worldSize(run.mesh);
  const peers = join(size);
  const reducerPeers = join(size);
  const reports: MeasuredStep[][] = [];
  let bound = true;
  const ended = peers.map((own, rank) => {
    const channel = run.reducer ? new MessageChannel() : null;
    const reducer = channel && { port: channel.port1, peers: reducerPeers[rank] ?? [] };
    if (channel) startReducer(channel.port2, run.cores[size + rank]);
    const role: Role = { type: 'rank', run, rank, peers: own, reducer };
    const ports = [...own, ...(reducer?.peers ?? [])].map(({ port }) => port);
    const worker = startThread(role, reducer ? [...ports, reducer.port] : ports);
    return new Promise<void>((resolve, reject) => {
      worker.on('message', (message: MeasuredStep | { bound: boolean }) => {
        if ('bound' in message) bound &&= message.bound;
        else (reports[message.step - 1] ??= []).push(message);
      });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
    });
  });
  await Promise.all(ended);
  const steps = reports.slice(run.warm_up).map((step) => step.sort((a, b) => a.rank - b.rank));
  return { steps, bound };
}

function startReducer(port: MessagePort, core: number | undefined): void {
  startThread({ type: 'reducer', port, core }, [port]);
}

function startThread(role: Role, ports: readonly MessagePort[]): Worker {
  return new Worker(new URL(import.meta.url), {
    workerData: role,
    transferList: ports.flatMap(nodePort),
  });
}

/** Narrows a global MessagePort to Node's type, which is the same class. */
const nodePort = (port: object): Port[] => (port instanceof Port ? [port] : []);

/** The ports of each rank to all others: one channel for each pair of ranks. */
function join(size: number): Peer[][] {
  const peers = Array.from({ length: size }, (): Peer[] => []);
  for (let rank = 0; rank < size; rank++) {
    for (let other = rank + 1; other < size; other++) {
      const { port1, port2 } = new MessageChannel();
      peers[rank]?.push({ rank: other, port: port1 });
      peers[other]?.push({ rank, port: port2 });
    }
  }
  return peers;
}

/** The program of a thread. */
export async function runThread(): Promise<void> {
  const role = workerData as Role;
  if (role.type === 'rank') return runRank(role);
  if (role.type === 'probe') return runProbe(role);
  if (role.core !== undefined) bindThread(role.core);
  role.port.start();
  connectRankOfReducer(role.port, (scope, { rank, ranks, ports }) => {
    const connected = ports.map((peer) => ({ rank: peer.rank, port: connectRank(peer.port) }));
    serveReducer(scope, { rank, ranks, ports: connected });
  });
  role.port.addEventListener('close', () => process.exit());
}

async function runRank({ run, rank, peers, reducer }: Extract<Role, { type: 'rank' }>) {
  await startEngine();
  const patience = (): number => 60_000;
  const ports = new Map(peers.map((peer) => [peer.rank, connectRank(peer.port)]));
  const link = new PortLink({ rank, ports, patience });
  const thread = reducer && reducerThread(run, rank, reducer);
  const trainer = await RankTrainer.create({
    config: configOf(run),
    objective: pretrain,
    split: patternSplit(),
    vocab_size: VOCAB,
    mesh: run.mesh,
    link,
    reducer: thread ?? undefined,
    bucket_bytes: run.bucket_bytes,
  });
  const core = run.cores[rank];
  parentPort?.postMessage({ bound: core !== undefined && bindThread(core) });
  await takeSteps(trainer, run, rank);
  link.close();
  thread?.close();
}

/** All ranks stop after the same step, because `pauseRequested` of any rank sets `paused` on all. */
async function takeSteps(trainer: RankTrainer, run: RankRun, rank: number): Promise<void> {
  const ends = Date.now() + run.patience;
  const { warm_up, steps } = run;
  if (run.pace) keepPace(trainer.recorder, run.pace);
  const passes = watchPasses(trainer.recorder);
  for (let i = 0; i < warm_up + steps && !trainer.paused; i++) {
    trainer.pauseRequested = i >= warm_up + 1 && Date.now() > ends;
    passes.begin();
    const { step, loss, grad_norm, ms } = await trainer.takeStep();
    const report: RankStep = { rank, step, loss, grad_norm, ms, ...trainer.recorder.take() };
    parentPort?.postMessage({ ...report, passes: passes.take() } satisfies MeasuredStep);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** A pass is recorded before its output is sent, so that the next rank waits for the pace, too. */
function keepPace(recorder: RankTrainer['recorder'], pace: Pace): void {
  const record = recorder.span.bind(recorder);
  recorder.span = (span) => {
    if (span.kind !== 'forward' && span.kind !== 'backward') return record(span);
    const due = span.start + pace[span.kind];
    while (performance.timeOrigin + performance.now() < due);
    record({ ...span, end: Math.max(span.end, due) });
  };
}

/** What the thread spends between the ends of two passes; a thread that waits spends none. */
function watchPasses(recorder: RankTrainer['recorder']) {
  const passes: PassTimes[] = [];
  let before = threadTimes();
  const record = recorder.span.bind(recorder);
  recorder.span = (span) => {
    record(span);
    if (span.kind !== 'forward' && span.kind !== 'backward') return;
    const after = threadTimes();
    if (before && after)
      passes.push({ ran: after.ran - before.ran, delayed: after.delayed - before.delayed });
    before = after;
  };
  return {
    begin: () => {
      before = threadTimes();
    },
    take: () => passes.splice(0),
  };
}

function reducerThread(run: RankRun, rank: number, { port, peers }: Reducer): ReducerThread {
  port.start();
  const ranks = groupOf(run.mesh, rank, 'dp');
  const open = { rank, ranks, ports: peers };
  return new ReducerThread(
    connectReducer(port, open, () => port.close()),
    () => 60_000,
  );
}

async function startEngine(): Promise<void> {
  setBuildLoader(async (name) =>
    WebAssembly.compile(readFileSync(new URL(`./${name}.wasm`, import.meta.url))),
  );
  await startBackend('wasm', undefined, {
    kernels: 'few',
    software: 'allowed',
    wasm: 'engine',
    threads: { wanted: 1 },
  });
}

function configOf({ model, rows, micro_batches }: RankRun): RunConfig {
  const config = defaultConfig();
  Object.assign(config.model, { dropout: 0, tie_word_embeddings: false }, model);
  Object.assign(config.training, {
    batch_size: rows,
    gradient_accumulation_steps: micro_batches,
    max_iters: 1000,
  });
  return config;
}

function patternSplit() {
  const tokens = Int32Array.from({ length: 50_000 }, (_, i) => (i * i + 3 * (i % 7)) % VOCAB);
  return {
    train: tokens.subarray(0, 40_000),
    val: tokens.subarray(40_000),
    bytes_per_token: new Uint16Array(VOCAB).fill(1),
  };
}

export const isThread = threadId !== 0;
