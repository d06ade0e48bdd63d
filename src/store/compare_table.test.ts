import { describe, expect, it } from 'vitest';
import type { ComparisonRow } from '../protocol/index.ts';
import {
  compareChart,
  compareCells,
  compareMarkdown,
  contenderName,
  CONTENDERS,
  FIRST_CONTENDERS,
  lossDrift,
} from './compare_table.ts';

describe('the contenders', () => {
  it('begin with how this page trains, which is the reference', () => {
    expect(CONTENDERS[0]).toEqual({ backend: 'webgpu', mode: 'replayed' });
  });

  it('have stock TensorFlow.js on every backend, which is not chosen at first', () => {
    const stock = CONTENDERS.filter(({ mode }) => mode === 'stock');
    expect(stock.map(({ backend }) => backend)).toEqual(['webgpu', 'webgl', 'wasm', 'cpu']);
    expect(FIRST_CONTENDERS).toHaveLength(CONTENDERS.length - stock.length);
    expect(FIRST_CONTENDERS.some(({ mode }) => mode === 'stock')).toBe(false);
  });

  it('have different names', () => {
    const names = CONTENDERS.map(contenderName);
    expect(names).toContain('WebGL, stock TensorFlow.js');
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('loss drift', () => {
  it('is measured from the first row that ran', () => {
    const failed = rowOf({ error: 'no WebGPU', losses: [] });
    const first = rowOf({});
    const second = rowOf({ backend: 'cpu', losses: [4, 2.5] });
    const rows = [failed, first, second];
    expect(lossDrift(rows, second)).toBeCloseTo(0.25, 12);
    expect(lossDrift(rows, first)).toBeNull();
    expect(lossDrift(rows, failed)).toBeNull();
  });

  it('is not measured where dropout drew other masks', () => {
    const stock = rowOf({ mode: 'stock', losses: [4, 3], own_dropout: true });
    const ours = rowOf({});
    const other = rowOf({ backend: 'cpu', losses: [4, 2.5] });
    const rows = [stock, ours, other];
    expect(rows.map((row) => lossDrift(rows, row))).toEqual([null, null, 0.25]);
    expect(rows.map((row) => compareCells(rows, row).at(-1))).toEqual([
      'other dropout',
      'reference',
      '2.5e-1',
    ]);
  });
});

describe('a row of the table', () => {
  it('says whole numbers as whole numbers', () => {
    const row = rowOf({ dispatches_per_step: 49, submits_per_step: 1, ms_per_step: 2.5 });
    const same = rowOf({ mode: 'op_by_op' });
    expect(compareCells([row], row)).toEqual([
      'WebGPU',
      'own kernels, recorded',
      '2',
      '5',
      '2.50',
      '49',
      '1',
      '–',
      '2.0000',
      'reference',
    ]);
    expect(compareCells([row, same], same).at(-1)).toBe('0');
  });

  it('has the milliseconds of a slow step in full', () => {
    expect(compareMarkdown([rowOf({ ms_per_step: 8157 })])).toContain('| 8,157 |');
  });
});

describe('bars', () => {
  it('are as long as a step takes, with the wait for a thousand steps', () => {
    const rows = [
      rowOf({ ms_per_step: 10.4 }),
      rowOf({ backend: 'wasm', mode: 'plain', ms_per_step: 208 }),
    ];
    expect(compareChart(rows)).toEqual({
      bars: [
        bar('webgpu', 'replayed', [0.05, '10.4 ms', 'about 10 seconds']),
        bar('wasm', 'plain', [1, '208 ms', 'about 3 minutes']),
      ],
      decades: null,
    });
  });

  it('are on a logarithmic scale where times are far apart', () => {
    const rows = [
      rowOf({ ms_per_step: 2.5 }),
      rowOf({ backend: 'wasm', mode: 'plain', ms_per_step: 100 }),
      rowOf({ backend: 'cpu', mode: 'stock', ms_per_step: 10_000 }),
    ];
    const { bars, decades } = compareChart(rows);
    expect(bars).toEqual([
      bar('webgpu', 'replayed', [Math.log10(2.5) / 4, '2.50 ms', 'a few seconds']),
      bar('wasm', 'plain', [0.5, '100 ms', 'about 2 minutes']),
      bar('cpu', 'stock', [1, '10 s', 'about 3 hours']),
    ]);
    expect(decades).toEqual({ labels: ['1 ms', '10 ms', '100 ms', '1 s', '10 s'], share: 0.25 });
  });

  it('are never so short that they are not seen', () => {
    const rows = [rowOf({ ms_per_step: 1.05 }), rowOf({ mode: 'plain', ms_per_step: 900 })];
    const { bars, decades } = compareChart(rows);
    expect(bars[0]?.share).toBeGreaterThan(0.2);
    expect(decades?.labels).toEqual(['0.1 ms', '1 ms', '10 ms', '100 ms']);
  });

  it('leave out rows that failed or have no timed step', () => {
    const rows = [rowOf({ error: 'no WebGPU', steps: 0, ms_per_step: NaN }), rowOf({ steps: 1 })];
    expect(compareChart(rows).bars).toEqual([]);
  });
});

function bar(
  backend: ComparisonRow['backend'],
  mode: ComparisonRow['mode'],
  [share, step, wait]: [number, string, string],
) {
  return { backend, mode, share, step, wait };
}

const rowOf = (change: Partial<ComparisonRow>): ComparisonRow => ({
  backend: 'webgpu',
  mode: 'replayed',
  steps: 2,
  ms_per_step: 10,
  tokens_per_second: 5,
  dispatches_per_step: null,
  submits_per_step: null,
  gpu_bytes: null,
  losses: [4, 2],
  ...change,
});
