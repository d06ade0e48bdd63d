/** The table of checkpoints, its files, and the report card of a chain. */
import { describe, expect, it } from 'vitest';
import type { CheckpointName, EvaluationRecord, MeasuredValue } from '../common/index.ts';
import {
  cellText,
  evaluationMetric,
  evaluationTable,
  reportCard,
  sortRows,
  tableToCsv,
  tableToMarkdown,
} from './index.ts';

const checkpoint = (run: string, step = 100): CheckpointName => ({
  run,
  name: `Model ${run}`,
  weights: 'last',
  step,
});

const value = (metric: string, mean: number, more: Partial<MeasuredValue> = {}): MeasuredValue => ({
  metric,
  value: mean,
  low: mean - 0.1,
  high: mean + 0.1,
  n: 100,
  interval: 'mean',
  ...more,
});

function record(
  model: CheckpointName,
  values: readonly MeasuredValue[],
  more: Partial<EvaluationRecord> = {},
): EvaluationRecord {
  const settings = {
    task: 'tales',
    variant: '',
    seed: 1,
    items: 100,
    temperature: 1,
    max_new_tokens: 32,
    k: 8,
    samples: 16,
    preference: 'constraint',
  };
  return {
    at: 1,
    model,
    objective: 'sft',
    parent: null,
    reward_model: null,
    settings,
    seconds: 1,
    values,
    notes: [],
    ...more,
  };
}

const MATCH = JSON.stringify(['exact_match', 'tales', '', null]);

describe('the table', () => {
  const records = [
    record(checkpoint('a'), [value('exact_match', 0.2)]),
    record(checkpoint('b'), [value('exact_match', 0.9), value('pass_at_k', 0.95)]),
    record(checkpoint('c'), [value('kl', 3)]),
  ];
  const table = evaluationTable(records);

  it('has a row per checkpoint and a column per metric of a task', () => {
    expect(table.rows.map(({ model }) => model.run)).toEqual(['a', 'b', 'c']);
    expect(table.columns.map(({ title }) => title)).toEqual([
      'Exact match (tales)',
      'pass@8 (tales)',
      'KL from the parent (tales)',
    ]);
  });

  it('keeps the latest of two evaluations of one checkpoint', () => {
    const again = record(checkpoint('a'), [value('exact_match', 0.3)], { at: 2 });
    const { rows } = evaluationTable([again, ...records]);
    expect(rows[0]?.cells.get(MATCH)?.value).toBe(0.3);
    expect(rows).toHaveLength(3);
  });

  it('sorts by a column, with missing numbers last in both directions', () => {
    const order = (descending: boolean) =>
      sortRows(table, { by: MATCH, descending }).map(({ model }) => model.run);
    expect(order(true)).toEqual(['b', 'a', 'c']);
    expect(order(false)).toEqual(['a', 'b', 'c']);
  });

  it('is exported as CSV, with names that are no formulas', () => {
    const named = record({ ...checkpoint('d'), name: '=1+1, "x"' }, [value('exact_match', 0.5)]);
    const one = evaluationTable([named]);
    expect(tableToCsv(one, one.rows)).toBe(
      'model,run,weights,step,objective,Exact match (tales),Exact match (tales) low,' +
        'Exact match (tales) high,Exact match (tales) n\n' +
        '"\'=1+1, ""x""",d,last,100,sft,0.5,0.4,0.6,100\n',
    );
  });

  it('is exported as Markdown, in which a name cannot end a cell', () => {
    const one = evaluationTable([record(checkpoint('e|f'), [value('exact_match', 0.5)])]);
    expect(tableToMarkdown(one, one.rows)).toBe(
      '| Model      | Step |       Exact match (tales) |\n' +
        '| :--------- | ---: | ------------------------: |\n' +
        '| Model e\\|f |  100 | 50.0 % [40.0, 60.0] n 100 |\n',
    );
  });

  it('writes a number without an interval without one', () => {
    const cell = value('kl', 2, { low: NaN, high: NaN, n: 1 });
    expect(cellText(cell, evaluationMetric('kl'))).toBe('2.000 n 1');
  });
});

describe('the report card', () => {
  const chain = [checkpoint('base'), checkpoint('sft'), checkpoint('dpo')];

  it('compares stages item by item where they had the same items', () => {
    const before = [0, 0, 1, 0, 1, 0];
    const after = [1, 1, 1, 1, 1, 0];
    const card = reportCard(chain, [
      record(checkpoint('base'), [value('exact_match', 2 / 6, { items: before })]),
      record(checkpoint('sft'), [value('exact_match', 5 / 6, { items: after })]),
    ]);
    const [row] = card.rows;
    expect(row?.cells[0]?.change).toBeNull();
    const change = row?.cells[1]?.change;
    expect(change).toMatchObject({ paired: true, verdict: 'better', n: 6 });
    expect(change?.value).toBeCloseTo(0.5, 12);
    expect(row?.cells[2]).toBeNull();
  });

  it('says that a change is unclear if its interval contains 0', () => {
    const card = reportCard(chain, [
      record(checkpoint('base'), [value('exact_match', 0.5)]),
      record(checkpoint('sft'), [value('exact_match', 0.6)]),
      record(checkpoint('dpo'), [value('exact_match', 0.1)]),
    ]);
    const changes = card.rows[0]?.cells.map((cell) => cell?.change);
    expect(changes?.map((change) => change?.verdict)).toEqual([undefined, 'unclear', 'worse']);
    // Half widths of 0.1 each, as squares.
    expect(changes?.[1]?.high).toBeCloseTo(0.1 + Math.hypot(0.1, 0.1), 12);
  });

  it('compares with the last stage that was measured', () => {
    const card = reportCard(chain, [
      record(checkpoint('base'), [value('bits_per_byte', 2)]),
      record(checkpoint('dpo'), [value('bits_per_byte', 1)]),
    ]);
    const cells = card.rows[0]?.cells ?? [];
    expect([cells[1], cells[2]?.change?.value, cells[2]?.change?.verdict]).toEqual([
      null,
      -1,
      'better',
    ]);
  });

  it('ignores evaluations of other models', () => {
    expect(reportCard(chain, [record(checkpoint('other'), [value('kl', 1)])]).rows).toEqual([]);
  });
});
