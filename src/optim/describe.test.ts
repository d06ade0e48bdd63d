import { describe, expect, it } from 'vitest';
import { defaultConfig, type TrainingConfig } from '../config/index.ts';
import { describeOptimizer, type OptimizedParameter } from './describe.ts';
import { rangesOf } from './fused.ts';
import { packedColumns } from './muon.ts';
import * as torch from './torch_oracle.ts';

const training = (changes: Partial<TrainingConfig>): TrainingConfig => ({
  ...defaultConfig().training,
  ...changes,
});
const parameter = (
  name: string,
  kind: OptimizedParameter['kind'],
  shape: readonly number[],
): OptimizedParameter => ({
  name,
  kind,
  shape,
  decay: shape.length > 1,
  parts: [{ start: 0, end: shape[shape.length - 1] ?? 1 }],
});
const LIST = [
  parameter('wte', 'embedding', [10, 8]),
  parameter('one', 'matrix', [8, 8]),
  parameter('two', 'matrix', [8, 8]),
  parameter('head', 'head', [10, 8]),
  parameter('norm', 'norm', [8]),
  parameter('bias', 'bias', [8]),
];

/** A layout with each tensor at a multiple of 64 values, cut into chunks before the names given. */
function layout(names: readonly string[], cuts: readonly string[] = []) {
  let chunk = 0;
  let offset = 0;
  const places = new Map(
    names.map((name) => {
      if (cuts.includes(name)) {
        chunk++;
        offset = 0;
      }
      const place = { chunk, offset };
      const p = LIST.find((q) => name.endsWith(q.name));
      offset += Math.ceil((p?.shape ?? []).reduce((a, b) => a * b, 1) / 64) * 64;
      return [name, place];
    }),
  );
  return {
    names: [...names],
    offsetOf: (name: string) => places.get(name) ?? { chunk: -1, offset: -1 },
  };
}
const all = LIST.map((p) => p.name);
const moments = (moment: string, names = all, cuts: string[] = []) =>
  layout(
    names.map((n) => `${moment}.${n}`),
    cuts,
  );
const spans = (
  chain: ReturnType<typeof describeOptimizer>,
  state: Parameters<typeof rangesOf>[2]['state'],
  gradients = layout(all),
) =>
  rangesOf(chain, LIST, { parameters: layout(all), gradients, state }).map((r) => [
    r.first,
    r.last,
    r.decayed,
  ]);

describe('describeOptimizer', () => {
  it('puts decay after the moments (AdamW) or before them (Adam, SGD)', () => {
    const kinds = (changes: Partial<TrainingConfig>) =>
      describeOptimizer(training(changes)).map((t) => t.kind);
    expect(kinds({ optimizer: 'adamw' })).toEqual([
      'clip_by_global_norm',
      'scale_by_adam',
      'add_decayed_weights',
      'scale_by_learning_rate',
    ]);
    expect(kinds({ optimizer: 'adam', grad_clip: 0 })).toEqual([
      'add_decayed_weights',
      'scale_by_adam',
      'scale_by_learning_rate',
    ]);
    expect(kinds({ optimizer: 'sgd', weight_decay: 0 })).toEqual([
      'clip_by_global_norm',
      'scale_by_momentum',
      'scale_by_learning_rate',
    ]);
    expect(kinds({ optimizer: 'sgd', weight_decay: 0, momentum: 0, grad_clip: 0 })).toEqual([
      'scale_by_learning_rate',
    ]);
  });
});

describe('ranges of the fused update', () => {
  const adamw = describeOptimizer(training({ optimizer: 'adamw' }));
  const state = { exp_avg: moments('exp_avg'), exp_avg_sq: moments('exp_avg_sq') };

  it('is one where every store has one chunk; the matrices decay', () => {
    // wte 80 in 128, one and two 64 each, the head's 80: 128 + 64 + 64 + 80.
    expect(spans(adamw, state)).toEqual([['wte', 'bias', 336]]);
    expect(spans(describeOptimizer(training({ weight_decay: 0 })), state)).toEqual([
      ['wte', 'bias', 0],
    ]);
  });

  it('is cut where any store is cut', () => {
    expect(
      spans(adamw, { ...state, exp_avg_sq: moments('exp_avg_sq', all, ['exp_avg_sq.two']) }),
    ).toEqual([
      ['wte', 'one', 192],
      ['two', 'bias', 144],
    ]);
    expect(spans(adamw, state, layout(all, ['bias']))).toEqual([
      ['wte', 'norm', 336],
      ['bias', 'bias', 0],
    ]);
  });

  it("leaves Muon's matrices out", () => {
    const rest = ['wte', 'head', 'norm', 'bias'];
    const muon = describeOptimizer(training({ optimizer: 'muon' }));
    const own = { exp_avg: moments('exp_avg', rest), exp_avg_sq: moments('exp_avg_sq', rest) };
    expect(spans(muon, own)).toEqual([
      ['wte', 'wte', 80],
      ['head', 'bias', 80],
    ]);
  });
});

describe('packed matrices', () => {
  it('are told apart', () => {
    expect(
      packedColumns(parameter('transformer.h.0.attn.c_attn.weight', 'matrix', [8, 24])),
    ).toEqual([
      { start: 0, end: 8 },
      { start: 8, end: 16 },
      { start: 16, end: 24 },
    ]);
    expect(packedColumns(parameter('transformer.h.0.mlp.c_fc.weight', 'matrix', [8, 24]))).toEqual([
      { start: 0, end: 24 },
    ]);
    expect(
      packedColumns({
        ...parameter('gate_up', 'matrix', [8, 24]),
        parts: [
          { start: 0, end: 12 },
          { start: 12, end: 24 },
        ],
      }),
    ).toEqual([
      { start: 0, end: 12 },
      { start: 12, end: 24 },
    ]);
  });
});

describe('the oracle, by hand', () => {
  const options = {
    lr: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    eps: 0.5,
    weight_decay: 0.2,
    decoupled: true,
  };

  it('AdamW: two steps', () => {
    const p = Float64Array.of(1);
    const s = torch.adamState(1);
    torch.adam(p, Float64Array.of(2), s, options);
    // m^ = 2, v^ = 4: 1 (1 - 0.1 x 0.2) - 0.1 x 2 / (2 + 0.5) = 0.98 - 0.08.
    expect(p[0]).toBeCloseTo(0.9, 14);
    torch.adam(p, Float64Array.of(-1), s, options);
    // m = 0.9 x 0.2 - 0.1 = 0.08, m^ = 0.08 / 0.19; v = 0.99 x 0.04 + 0.01 = 0.0496, v^ = 0.0496 /
    // 0.0199.
    expect(p[0]).toBeCloseTo(
      0.9 * 0.98 - (0.1 * (0.08 / 0.19)) / (Math.sqrt(0.0496 / 0.0199) + 0.5),
      14,
    );
  });

  it('Adam: decay enters the moments', () => {
    const p = Float64Array.of(1);
    torch.adam(p, Float64Array.of(1.8), torch.adamState(1), { ...options, decoupled: false });
    // The gradient becomes 1.8 + 0.2 = 2.
    expect(p[0]).toBeCloseTo(1 - 0.08, 14);
  });

  it('SGD: momentum without dampening', () => {
    const p = Float64Array.of(1);
    const b = new Float64Array(1);
    const o = { lr: 0.1, momentum: 0.5, weight_decay: 0 };
    torch.sgd(p, Float64Array.of(1), b, o);
    torch.sgd(p, Float64Array.of(1), b, o);
    expect(p[0]).toBeCloseTo(1 - 0.1 - 0.15, 14);
  });

  it('clipping scales all gradients by one factor', () => {
    const g = [Float64Array.of(3, 0), Float64Array.of(4)];
    expect(torch.clipGradNorm(g, 1)).toBe(5);
    expect(g.map((v) => [...v])).toEqual([[3 / 5.000001, 0], [4 / 5.000001]]);
    expect(torch.clipGradNorm([Float64Array.of(0.5)], 1)).toBe(0.5);
  });

  it('Newton-Schulz: a multiple of an orthogonal matrix keeps its direction', () => {
    const q = { rows: 2, columns: 2, data: Float64Array.of(0.6, -0.8, 0.8, 0.6).map((v) => 7 * v) };
    // Each of the five steps maps the two equal singular values s, from 1/sqrt(2), to 3.4445 s -
    // 4.775 s^3 + 2.0315 s^5.
    let s = Math.SQRT1_2;
    for (let i = 0; i < 5; i++) s = 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5;
    torch
      .newtonSchulz(q)
      .data.forEach((v, i) => expect(v).toBeCloseTo((s * (q.data[i] ?? NaN)) / 7, 6));
    expect(s).toBeGreaterThan(0.7);
    expect(s).toBeLessThan(1.2);
  });
});
