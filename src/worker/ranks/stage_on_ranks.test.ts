/**
 * Stages on ranks as the page trains them: the lab's client, a session for each rank, and storage,
 * on the engine in Node. One rank and several give the same folder.
 */
import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type MetricColumns, type Mesh, ONE_RANK } from '../../common/index.ts';
import type { RunConfig } from '../../config/index.ts';
import { parseRecipe, parseStage, type StageInput } from '../../config/stage/index.ts';
import type { ReadState } from '../../checkpoint/index.ts';
import type { ChildRun, PagePort, StartCommand } from '../../protocol/index.ts';
import { LabClient } from '../../store/lab/lab_client.ts';
import type { LabOrigin } from '../../store/lab/lab_state.ts';
import { runRecipeOnRanks } from '../../store/lab/headless_recipe.ts';
import { createStores } from '../../store/stores.ts';
import { startEngine } from '../../testing/node_engine.ts';
import { Trainer } from '../../train/index.ts';
import {
  DEVICE,
  SessionHarness,
  sessionPort,
  startCommand,
  tinyConfig,
} from '../testing_session.ts';

beforeAll(startEngine);

const STEPS = 6;
const RTOL = 1e-5;

const config = tinyConfig(({ model, training, runtime }) => {
  Object.assign(model, { n_layer: 2, n_head: 2, n_embd: 16, block_size: 48, dropout: 0.1 });
  Object.assign(training, { batch_size: 4, max_iters: STEPS, learning_rate: 3e-3 });
  Object.assign(training, { gradient_accumulation_steps: 2, eval_interval: 3, eval_iters: 2 });
  runtime.backend = 'wasm';
  runtime.autosave_interval = 0;
});

/** Of the letters that the parent's tokenizer has. */
const words = ['quick', 'brown', 'fox', 'jumps', 'over', 'the', 'lazy', 'dog'];
const jsonLines = (lines: readonly object[]) => ({
  name: 'own.jsonl',
  bytes: new TextEncoder().encode(lines.map((line) => JSON.stringify(line)).join('\n')),
});
const examples = jsonLines(
  words.flatMap((first) =>
    words.map((second) => ({ prompt: `${first} ${second}`, completion: `the ${first}` })),
  ),
);

let harness: SessionHarness;

beforeEach(async () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  harness = sessionOfEngine();
  await trained(harness, { config });
});

/** Trains a run on one rank, and closes it. */
async function trained(session: SessionHarness, change: Partial<StartCommand>): Promise<void> {
  const refusal = await session.train(startCommand(change));
  if (refusal) throw new Error(`${refusal.message} ${refusal.hint}`);
}

async function released(session: SessionHarness, run: string): Promise<SavedRun> {
  session.send({ type: 'release', id: 2 });
  await session.next('released');
  return savedRun(run);
}

/** A session whose device and trainer are the engine's; `from` lends its storage. */
function sessionOfEngine(from?: SessionHarness): SessionHarness {
  const made: SessionHarness = new SessionHarness({
    tryBackends: async () => ({ ...DEVICE, backend: 'wasm' as const }),
    createTrainer: (options) => Trainer.create(options),
    openRunStore: async () => (from ?? made).store,
  });
  return made;
}

/** A worker of the page, in this thread. */
function spawn(): PagePort {
  return sessionPort({
    ...harness.services,
    tryBackends: async () => ({ ...DEVICE, backend: 'wasm' }),
    openRunStore: async () => harness.store,
  });
}

interface SavedRun {
  state: ReadState;
  metrics: MetricColumns;
}

async function savedRun(run: string): Promise<SavedRun> {
  const storage = await harness.store.open(run);
  const loaded = await storage.load();
  const metrics = await storage.readMetrics();
  await storage.close();
  if (!loaded) throw new Error('There is no checkpoint.');
  return { state: loaded.state, metrics };
}

/** Texts of the answers that a run has sampled. */
async function answersOf(run: string): Promise<string[]> {
  const storage = await harness.store.open(run);
  const { rollouts } = storage.record;
  const { records } = await rollouts.read();
  await storage.close();
  expect(records).not.toEqual([]);
  return records.map(({ completion }) => completion);
}

type Started = ChildRun & { config: RunConfig };

async function onOneRank({ stage, ...child }: Started, run: string): Promise<SavedRun> {
  await trained(sessionOfEngine(harness), { run, stage: stage ?? undefined, ...child });
  return savedRun(run);
}

/** Trains to the end, or pauses soon after a step; `from` continues a run of ranks. */
async function onRanks(
  { config: wanted, ...child }: Started,
  mesh: Partial<Mesh>,
  { pause_at = STEPS, from = null }: { pause_at?: number; from?: LabOrigin | null } = {},
): Promise<LabOrigin> {
  const lab: LabClient = new LabClient({
    spawn,
    stepped: ([first]) => {
      if (first?.step === pause_at) lab.pause();
    },
  });
  await lab.start({
    mesh: { ...ONE_RANK, ...mesh },
    config: wanted,
    ...{ files: {}, backend: 'wasm', name: 'ranks', from },
    stage: child.stage,
    child: from ? null : child,
  });
  expect(lab.store.getState().failure).toBe('');
  await lab.save();
  const { run, saved } = lab.store.getState();
  lab.stop();
  return { run, name: 'ranks', step: saved?.step ?? 0 };
}

const stageOf = (input: StageInput, dataset = examples): Started => ({
  config,
  parent: { run: 'first' },
  stage: parseStage({ ...input, dataset: { task: 'own', ...input.dataset } }),
  dataset,
});

/** |a - b| / |a| of all values of the tensors of `a`. */
function difference(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>) {
  let size = 0;
  let error = 0;
  for (const [name, values] of a) {
    const others = b.get(name);
    values.forEach((value, i) => {
      size += value ** 2;
      error += (value - (others?.[i] ?? NaN)) ** 2;
    });
  }
  return Math.sqrt(error / size);
}

/** Times. */
const NOT_COMPARED = ['seconds', 'step_ms', 'train/tok_per_sec'];

/** Where the loss of a step is about 0 by itself, what is compared instead of it. */
const LOSSES: Readonly<Record<string, string | undefined>> = {
  grpo: 'reward',
  ppo: 'loss/value_avg',
};

function expectSameRun(one: SavedRun, ranks: SavedRun): void {
  const { parameters, optimizer, objective_tensors, ...facts } = one.state;
  expect(difference(parameters, ranks.state.parameters)).toBeLessThan(RTOL);
  expect([...ranks.state.optimizer.keys()].sort()).toEqual([...optimizer.keys()].sort());
  expect([...ranks.state.objective_tensors.keys()].sort()).toEqual(
    [...objective_tensors.keys()].sort(),
  );
  for (const key of ['step', 'tokens', 'stage', 'chat_template', 'lineage', 'config'] as const)
    expect(ranks.state[key]).toEqual(facts[key]);
  expect(ranks.state.tokenizer).toEqual(facts.tokenizer);
  expect(ranks.state.pad_token_id).toBe(facts.pad_token_id);
  const loss = LOSSES[one.state.lineage.objective] ?? 'train/loss';
  for (const name of [loss, 'val/loss', 'val/reward', 'grad_norm', 'lr']) {
    const [a, b] = [one.metrics[name], ranks.metrics[name]].map((values) =>
      values?.filter((value) => Number.isFinite(value)),
    );
    expect(b?.length, name).toBe(a?.length);
    a?.forEach((value, i) => {
      const error = Math.abs((b?.[i] ?? NaN) - value);
      expect(error, name).toBeLessThanOrEqual(RTOL * Math.abs(value));
    });
  }
  expect(one.metrics['val/loss'] ?? one.metrics['val/reward']).toBeDefined();
  const measured = ({ metrics }: SavedRun): string[] =>
    Object.keys(metrics)
      .filter((name) => !NOT_COMPARED.includes(name))
      .sort();
  expect(measured(ranks)).toEqual(measured(one));
}

const pairs = jsonLines(
  words.flatMap((first) =>
    words.map((second) => ({
      prompt: `${first} ${second}`,
      chosen: `the ${first}`,
      rejected: `a ${second}`,
    })),
  ),
);

describe('a stage on ranks is saved as one rank would save it', () => {
  test.each([
    { objective: 'sft', mesh: { dp: 2 } },
    { objective: 'sft', mesh: { dp: 2, tp: 2 }, peft: { peft_type: 'lora', r: 2 } },
    { objective: 'reward', mesh: { dp: 2, zero_stage: 2 }, dataset: pairs },
    { objective: 'dpo', mesh: { dp: 2, zero_stage: 3 }, dataset: pairs },
  ] as const)('$objective on $mesh', async ({ objective, mesh, ...choices }) => {
    const { peft, dataset } = { peft: {}, dataset: examples, ...choices };
    const started = stageOf({ objective, peft }, dataset);
    const one = await onOneRank(started, 'one');
    const { run } = await onRanks(started, mesh);
    expectSameRun(one, await savedRun(run));
  });

  test('GRPO on two ranks, with its answers', async () => {
    const grpo = { num_generations: 4, max_completion_length: 6, num_iterations: 2 };
    const rewards = { correct: 1, ends: 0.5, brief: 0.5 };
    const started = stageOf({ objective: 'grpo', grpo, rewards });
    const one = await onOneRank(started, 'one');
    const { run } = await onRanks(started, { dp: 2 });
    expectSameRun(one, await savedRun(run));
    expect(await answersOf(run)).toEqual(await answersOf('one'));
  });

  test('PPO under ZeRO-3, scored by a reward model that ranks have trained', async () => {
    await onOneRank(stageOf({ objective: 'sft' }), 'sft');
    const parent = { run: 'sft' };
    const reward = { ...stageOf({ objective: 'reward' }, pairs), parent };
    const reward_model = await onRanks(reward, { dp: 2 });
    const ppo = { response_length: 6, num_ppo_epochs: 1, num_mini_batches: 2 };
    const started = { ...stageOf({ objective: 'ppo', ppo }), parent, reward_model };
    const one = await onOneRank(started, 'one');
    const { run } = await onRanks(started, { dp: 2, zero_stage: 3 });
    expectSameRun(one, await savedRun(run));
    expect(await answersOf(run)).toEqual(await answersOf('one'));
  });

  test('and goes on with other ranks, and on one', async () => {
    const started = stageOf({ objective: 'dpo' }, pairs);
    const half = await onRanks(started, { dp: 2, zero_stage: 3 }, { pause_at: 3 });
    expect(half.step).toBeLessThan(STEPS);
    const before = (await savedRun(half.run)).state;
    const whole = await onRanks(started, { pp: 2 }, { from: half });
    const { state } = await onOneRank(started, 'one');
    const others = await savedRun(whole.run);
    const ms = [...(others.metrics.step_ms ?? [])].reduce((sum, value) => sum + (value || 0), 0);
    expect(ms).toBeGreaterThan(0);
    expect(others.state.elapsed_seconds).toBeCloseTo(before.elapsed_seconds + ms / 1000, 9);
    expect(difference(state.parameters, others.state.parameters)).toBeLessThan(RTOL);
    expect(others.state.lineage).toEqual(state.lineage);
    const session = sessionOfEngine(harness);
    session.send({ type: 'resume', run: half.run });
    await session.next('finished');
    expect(session.all('error')).toEqual([]);
    const { parameters } = (await released(session, half.run)).state;
    expect(difference(state.parameters, parameters)).toBeLessThan(RTOL);
  });
});

test('what rank 0 cannot read is a sentence, and the other ranks wait no longer', async () => {
  const lab = new LabClient({ spawn });
  const { config: wanted, ...child } = stageOf({ objective: 'sft' });
  await lab.start({
    mesh: { ...ONE_RANK, dp: 2 },
    config: wanted,
    ...{ files: {}, backend: 'wasm', name: 'ranks', from: null },
    stage: child.stage,
    child: { ...child, parent: { run: 'gone' } },
  });
  const { phase, failure } = lab.store.getState();
  expect(phase).toBe('failed');
  expect(failure).toMatch(/^Rank 0 failed: .*\./u);
});

describe('a recipe on ranks', () => {
  const tiny = {
    model: { n_layer: 1, n_head: 2, n_embd: 16, block_size: 48 },
    training: { batch_size: 4, max_iters: 2, eval_interval: 2, eval_iters: 1 },
    runtime: { backend: 'wasm' },
  };
  const dataset = { task: 'arithmetic' };
  const stageWith = (id: string, parent: string, stage: StageInput) => {
    const { training, runtime } = tiny;
    return { id, name: id, parent, config: { training, runtime }, stage: { ...stage, dataset } };
  };
  const base = { id: 'base', name: 'base', preset: 'arithmetic', config: tiny };
  const sft = stageWith('sft', 'base', { objective: 'sft' });

  async function carriedOut(stages: unknown[], mesh: Partial<Mesh>) {
    const { recipe, library } = createStores();
    const client = { stores: { recipe, library }, models: { spawn }, library: { list: vi.fn() } };
    const records: Record<string, number>[] = [];
    await runRecipeOnRanks(client, parseRecipe({ name: 'sums', stages }), {
      mesh,
      record: (record) => records.push(record),
    });
    return { ...recipe.getState(), records };
  }

  test('trains each stage from the run of an earlier one', async () => {
    const grpo = { num_generations: 2, max_completion_length: 4 };
    const stages = [base, sft, stageWith('grpo', 'sft', { objective: 'grpo', grpo })];
    const { members, running, records } = await carriedOut(stages, { dp: 2 });
    expect(members.map(({ status, problem }) => status + problem)).toEqual([
      'done',
      'done',
      'done',
    ]);
    expect(running).toBe(false);
    const { state } = await savedRun(members[2]?.run ?? '');
    expect(state.lineage.objective).toBe('grpo');
    expect(state.step).toBe(2);
    expect(records.at(-2)?.step).toBe(2);
    expect(records.at(-2)?.bytes).toBeGreaterThan(0);
    const sent = records.filter(({ bytes }) => bytes !== undefined);
    expect(sent.map(({ bytes }) => bytes)).toEqual(sent.map((one) => one.planned_bytes));
    expect(records.at(-1)?.['val/reward']).toBeTypeOf('number');
  });

  test('ends at a stage that its ranks cannot train, with their sentence', async () => {
    const ppo = stageWith('ppo', 'sft', { objective: 'ppo', ppo: { score: 'task' } });
    const stages = [base, sft, ppo];
    const { members, ended } = await carriedOut(stages, { dp: 2, tp: 4 });
    expect(members.map(({ status }) => status)).toEqual(['failed', 'stopped', 'stopped']);
    expect(members[0]?.problem).toMatch(/tp 4|among 4 ranks/u);
    expect(ended).toBe('The recipe ended because “base” failed.');
  });
});
