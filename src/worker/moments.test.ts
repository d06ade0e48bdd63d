import { describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint, type ReadState } from '../checkpoint/index.ts';
import { tinyState } from '../checkpoint/testing_states.ts';
import { pretrain } from '../objectives/index.ts';
import type { Event } from '../protocol/index.ts';
import { withUsableMoments } from './moments.ts';

const saved = readCheckpoint(writeCheckpoint(tinyState({})));

const learned = { objective: pretrain, stage: null };

/** The optimizer's state that is used, and the notices to the page. */
function usable(change: Partial<ReadState>): { size: number; notices: string[] } {
  const notices: string[] = [];
  const emit = (event: Event): void => {
    if (event.type === 'notice') notices.push(event.message);
  };
  const { optimizer } = withUsableMoments({ ...saved, ...change }, learned, emit);
  return { size: optimizer.size, notices };
}

const [first = ''] = saved.optimizer.keys();
const without = new Map([...saved.optimizer].filter(([name]) => name !== first));
const extra = new Map(saved.optimizer).set(
  'momentum_buffer.transformer.ln_f.bias',
  new Float32Array(16),
);

describe('withUsableMoments', () => {
  it('keeps the moments of the optimizer', () => {
    expect(usable({})).toEqual({ size: saved.optimizer.size, notices: [] });
  });

  it.each([
    ['a missing moment', without, 'does not fit: 1 missing, 0 unknown'],
    ['a moment of another optimizer', extra, 'does not fit: 0 missing, 1 unknown'],
    ['no moments after the first step', new Map<string, Float32Array>(), 'has no optimizer state'],
  ])('leaves all out for %s, and says so', (_, optimizer, sentence) => {
    const { size, notices } = usable({ optimizer });
    expect(size).toBe(0);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toContain(sentence);
    expect(notices[0]).toContain('The optimizer starts anew');
  });

  it('says why a file was left out', () => {
    const { notices } = usable({ optimizer: new Map(), optimizer_problem: 'It is damaged.' });
    expect(notices).toEqual([
      'It is damaged. The optimizer starts anew, so the loss may rise for some steps.',
    ]);
  });

  it('says nothing where no moments are expected', () => {
    const { config } = saved;
    const training = { ...config.training, optimizer: 'sgd' as const, momentum: 0 };
    const optimizer = new Map<string, Float32Array>();
    expect(usable({ optimizer, step: 0 }).notices).toEqual([]);
    expect(usable({ optimizer, config: { ...config, training } }).notices).toEqual([]);
  });
});
