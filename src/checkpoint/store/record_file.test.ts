/** Votes, rollouts and evaluations in the folder of a run. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { EvaluationRecord, RolloutRecord, Vote } from '../../common/index.ts';
import { defaultConfig } from '../../config/index.ts';
import { readRecords, ROLLOUTS, VOTES } from '../record_lines.ts';
import { MemoryFileSystem, storageFull } from './file_system.ts';
import { MemoryLocks } from './locks.ts';
import { inTurn, RecordFile } from './record_file.ts';
import { RunStore } from './run_store.ts';

const vote = (step: number, choice: 0 | 1 | null = 0): Vote => ({
  run: 'first',
  step,
  prompt: [{ role: 'user', content: 'Who?' }],
  answers: ['Tim.', 'A\nfox.'],
  choice,
  at: 1,
});

const rollout = (step: number): RolloutRecord => ({
  step,
  prompt: '1+1=',
  completion: '2',
  rewards: { correct: 1, reward: 1 },
  advantage: null,
  ended: true,
  completion_ids: [5, 1],
  old_logps: [-0.1, -0.2],
});

class RefusingFileSystem extends MemoryFileSystem {
  refuses = false;

  override async append(path: string, bytes: Uint8Array): Promise<void> {
    if (this.refuses) throw storageFull();
    return super.append(path, bytes);
  }
}

let fs: RefusingFileSystem;
const open = (max_bytes = ROLLOUTS.max_bytes) =>
  new RecordFile(fs, 'runs/first', { ...ROLLOUTS, max_bytes }, inTurn());
const stepsOf = async (file: RecordFile<RolloutRecord>): Promise<number[]> =>
  (await file.read()).records.map(({ step }) => step);

beforeEach(() => {
  fs = new RefusingFileSystem();
});

describe('a file of records', () => {
  it('has what was added before it was flushed, and after the file was opened again', async () => {
    const file = open();
    file.add([rollout(1), rollout(2)]);
    expect(await stepsOf(file)).toEqual([1, 2]);
    await file.flush();
    file.add([rollout(3)]);
    await file.flush();
    expect((await open().read()).records).toEqual([rollout(1), rollout(2), rollout(3)]);
  });

  it('drops records after the step that the run continues from', async () => {
    const file = open();
    file.add([rollout(1), rollout(2), rollout(3)]);
    await file.flush();
    const again = open();
    again.rewind(2);
    again.add([rollout(3)]);
    await again.flush();
    expect(await stepsOf(open())).toEqual([1, 2, 3]);
  });

  it('keeps the newest ones when it is full, and counts the others', async () => {
    const file = open(300);
    for (let step = 1; step <= 12; step++) {
      file.add([rollout(step)]);
      await file.flush();
    }
    const { records, dropped } = await file.read();
    expect(records.at(-1)?.step).toBe(12);
    expect(dropped).toBeGreaterThan(0);
    expect(dropped + records.length).toBe(12);
    expect(records.map(({ step }) => step)).toEqual(
      Array.from({ length: records.length }, (_, i) => dropped + 1 + i),
    );
  });

  it('survives a line that was cut short', async () => {
    const file = open();
    file.add([rollout(1)]);
    await file.flush();
    await fs.append('runs/first/rollouts.jsonl.1', new TextEncoder().encode('{"step":2,"pro'));
    file.add([rollout(3)]);
    await file.flush();
    expect(await stepsOf(file)).toEqual([1, 3]);
  });

  it('keeps lines that storage refuses for the next flush', async () => {
    const file = open();
    file.add([rollout(1)]);
    await file.flush();
    fs.refuses = true;
    file.add([rollout(2)]);
    await expect(file.flush()).rejects.toMatchObject({ code: 'storage_full' });
    fs.refuses = false;
    await file.flush();
    expect(await stepsOf(open())).toEqual([1, 2]);
  });

  it('takes back the newest vote', async () => {
    const votes = new RecordFile(fs, 'runs/first', VOTES, inTurn());
    votes.add([vote(1), vote(2, null)]);
    await votes.flush();
    votes.undo();
    votes.add([vote(3, 1)]);
    await votes.flush();
    expect((await votes.read()).records).toEqual([vote(1), vote(3, 1)]);
  });

  it('skips lines that are no records of its kind', () => {
    const lines = ['{"step":1}', 'x', '[]', JSON.stringify({ ...vote(1), choice: 2 }), '', 'null'];
    expect(readRecords([...lines, JSON.stringify(vote(4))].join('\n'), VOTES)).toEqual([vote(4)]);
  });
});

describe('records of a run', () => {
  const evaluation: EvaluationRecord = {
    at: 5,
    model: { run: 'first', name: 'First', weights: 'last', step: 3 },
    objective: 'sft',
    parent: null,
    reward_model: null,
    settings: {
      task: 'tales',
      variant: '',
      seed: 1,
      items: 2,
      temperature: 1,
      max_new_tokens: 8,
      k: 1,
      samples: 1,
      preference: 'constraint',
    },
    seconds: 1,
    values: [
      {
        metric: 'exact_match',
        value: 0.5,
        low: 0.1,
        high: 0.9,
        n: 2,
        interval: 'wilson',
        items: [1, 0],
      },
      { metric: 'kl', value: 1, low: NaN, high: NaN, n: 1, interval: 'mean' },
    ],
    notes: ['One prompt was left out.'],
  };

  async function storeWithRun(): Promise<RunStore> {
    const store = new RunStore(fs, new MemoryLocks(), null);
    const run = await store.create({
      id: 'first',
      name: 'First',
      config: defaultConfig(),
      n_params: 1,
    });
    await run.close();
    return store;
  }

  it('are added while another tab has the run open', async () => {
    const store = await storeWithRun();
    const run = await store.open('first');
    const votes = await store.records.votes('first');
    votes.add([vote(1)]);
    await votes.flush();
    const evaluations = await store.records.evaluations('first');
    evaluations.add([evaluation]);
    await evaluations.flush();
    await run.close();
    expect((await (await store.records.votes('first')).read()).records).toEqual([vote(1)]);
    expect((await (await store.records.evaluations('first')).read()).records).toEqual([evaluation]);
  });

  it('are copied with the run, and are files of an export', async () => {
    const store = await storeWithRun();
    const votes = await store.records.votes('first');
    votes.add([vote(1)]);
    await votes.flush();
    await store.duplicate('first', 'copy', 'Copy');
    const files = await store.records.files('copy');
    expect([...files.keys()]).toEqual(['votes.jsonl']);
    const lines = new TextDecoder().decode(files.get('votes.jsonl'));
    expect(JSON.parse(lines)).toEqual(vote(1));
  });

  it('belong to runs that exist', async () => {
    const store = await storeWithRun();
    await expect(store.records.votes('gone')).rejects.toMatchObject({ code: 'run_missing' });
  });
});
