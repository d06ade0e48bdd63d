import { beforeEach, describe, expect, it, vi } from 'vitest';
import { initialRun, type RunState } from './run.ts';
import { type RunEnd, RunFollower, withoutWaiting } from './run_follower.ts';
import { createStores, type Stores } from './stores.ts';

let run: Stores['run'];
let ends: RunEnd[];
let follower: RunFollower;
const stopRun = vi.fn();
const cancel = vi.fn();

beforeEach(() => {
  run = createStores().run;
  ends = [];
  vi.clearAllMocks();
  const client = { stores: { run }, stopRun, cancel };
  follower = new RunFollower(client, (end) => ends.push(end));
});

const become = (change: Partial<RunState>): void => run.setState(change);

/** Starts as the client does: the state says that a run is prepared before its id is known. */
const start = (id: string): string =>
  follower.follow(() => {
    become({ run: null, phase: 'preparing', opening: true, error: null });
    return id;
  });

const failure = (message: string): RunState['error'] => ({
  code: 'text_malformed',
  message,
  hint: 'Try another one.',
});

describe('a followed run', () => {
  it.each([
    ['max_iters', 'done'],
    ['stopped', 'stopped'],
  ] as const)('that ends by %s is %s, once it was seen in the worker', (finished, status) => {
    expect(start('a')).toBe('a');
    become({ phase: 'done', finished });
    expect(ends).toEqual([]);
    become({ run: 'a', phase: 'training', opening: false });
    become({ phase: 'done', finished });
    expect(ends).toEqual([{ status, problem: '', obstacle: null }]);
    become({ phase: 'failed' });
    expect(ends).toHaveLength(1);
  });

  it('fails with the sentence of the error, and does not stand in the way of another', () => {
    start('a');
    become({ phase: 'failed', error: failure('The text cannot be read.') });
    expect(ends).toEqual([
      { status: 'failed', problem: 'The text cannot be read. Try another one.', obstacle: null },
    ]);
  });

  it('fails if the run before it cannot be saved', () => {
    const error = failure('An old error.');
    become({ run: 'before', phase: 'done', error });
    follower.follow(() => 'a');
    become({ detail: 'saving' });
    expect(ends).toEqual([]);
    become({ error: failure('Storage is full.') });
    expect(ends).toEqual([
      {
        status: 'failed',
        problem: 'Storage is full. Try another one.',
        obstacle: 'the run before could not be saved',
      },
    ]);
  });

  it('ends if another run is opened, or its preparation is cancelled', () => {
    start('a');
    become({ run: 'other', phase: 'training', opening: false });
    start('b');
    become({ ...initialRun, phase: 'idle', opening: false });
    expect(ends.map(({ status, obstacle }) => [status, obstacle])).toEqual([
      ['stopped', 'another run was opened'],
      ['stopped', 'its run was cancelled'],
    ]);
  });

  it('is stopped if it trains, cancelled if it is prepared, and then no longer followed', () => {
    start('a');
    follower.stop();
    expect(cancel).toHaveBeenCalledOnce();
    expect(stopRun).not.toHaveBeenCalled();
    start('b');
    become({ run: 'b', phase: 'training', opening: false });
    follower.stop();
    expect(stopRun).toHaveBeenCalledOnce();
    expect(cancel).toHaveBeenCalledOnce();
    become({ phase: 'done', finished: 'stopped' });
    expect(ends).toEqual([]);
  });
});

it('members that wait or train are stopped when no further run is started', () => {
  const statuses = ['done', 'failed', 'training', 'waiting'] as const;
  const members = withoutWaiting(statuses.map((status) => ({ status })));
  expect(members.map(({ status }) => status)).toEqual(['done', 'failed', 'stopped', 'stopped']);
});
