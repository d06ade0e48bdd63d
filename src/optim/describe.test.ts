import { describe, expect, it } from 'vitest';
import { defaultConfig, type TrainingConfig } from '../config/index.ts';
import { describeOptimizer, type OptimizedParameter, type Transform } from './describe.ts';
import { packedColumns } from './muon.ts';
import { type Layouts, rangesOf } from './ranges.ts';
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
  parts: [{ start: 0, end: shape.at(-1) ?? 1 }],
});
const PARAMETERS = [
  parameter('wte', 'embedding', [10, 8]),
  parameter('one', 'matrix', [8, 8]),
  parameter('two', 'matrix', [8, 8]),
  parameter('head', 'head', [10, 8]),
  parameter('norm', 'norm', [8]),
  parameter('bias', 'bias', [8]),
];
const NAMES = PARAMETERS.map((p) => p.name);

/**
 * A layout with each tensor at a multiple of 64 values, and a new chunk before each name in `cuts`.
 */
function layout(names: readonly string[], cuts: readonly string[] = []) {
  let chunk = 0;
  let offset = 0;
  const places = new Map<string, { chunk: number; offset: number }>();
  for (const name of names) {
    if (cuts.includes(name)) {
      chunk++;
      offset = 0;
    }
    places.set(name, { chunk, offset });
    const shape = PARAMETERS.find((p) => name.endsWith(p.name))?.shape ?? [];
    offset += Math.ceil(shape.reduce((a, b) => a * b, 1) / 64) * 64;
  }
  return {
    names: [...names],
    offsetOf: (name: string) => places.get(name) ?? { chunk: -1, offset: -1 },
  };
}
const momentLayout = (moment: string, names = NAMES, cuts: string[] = []) =>
  layout(
    names.map((name) => `${moment}.${name}`),
    cuts,
  );

/** The ranges as [first, last, decayed]. */
const ranges = (
  chain: readonly Transform[],
  state: Layouts['state'],
  { gradients = layout(NAMES), trainable = PARAMETERS } = {},
) =>
  rangesOf(chain, trainable, { parameters: layout(NAMES), gradients, state }).map(
    ({ first, last, decayed }) => [first, last, decayed],
  );

describe('describeOptimizer', () => {
  const kinds = (changes: Partial<TrainingConfig>) =>
    describeOptimizer(training(changes)).map((transform) => transform.kind);

  it('puts weight decay after the moments for AdamW, and before them for Adam and SGD', () => {
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
    expect(kinds({ optimizer: 'sgd', grad_clip: 0 })).toEqual([
      'add_decayed_weights',
      'scale_by_momentum',
      'scale_by_learning_rate',
    ]);
  });

  it('omits transforms that would change nothing', () => {
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

describe('rangesOf', () => {
  const adamw = describeOptimizer(training({ optimizer: 'adamw' }));
  const state = { exp_avg: momentLayout('exp_avg'), exp_avg_sq: momentLayout('exp_avg_sq') };

  it('makes one range if every store has one chunk; its matrices decay', () => {
    // wte has 80 values in 128, one and two have 64 each, the head has 80: 128 + 64 + 64 + 80.
    expect(ranges(adamw, state)).toEqual([['wte', 'bias', 336]]);
    expect(ranges(describeOptimizer(training({ weight_decay: 0 })), state)).toEqual([
      ['wte', 'bias', 0],
    ]);
  });

  it('reads the names of each store once, however many parameters there are', () => {
    let readings = 0;
    const many = Array.from({ length: 300 }, (_, i) => parameter(`m${i}`, 'matrix', [8, 8]));
    const countedLayout = (prefix: string) => {
      const names = many.map((parameter) => prefix + parameter.name);
      return {
        get names() {
          readings++;
          return names;
        },
        offsetOf: (name: string) => ({ chunk: 0, offset: 64 * names.indexOf(name) }),
      };
    };
    const made = rangesOf(adamw, many, {
      parameters: countedLayout(''),
      gradients: countedLayout(''),
      state: { exp_avg: countedLayout('exp_avg.'), exp_avg_sq: countedLayout('exp_avg_sq.') },
    });
    expect(made).toHaveLength(1);
    expect(readings).toBe(4);
  });

  it('cuts where any store is cut', () => {
    const cutMoment = momentLayout('exp_avg_sq', NAMES, ['exp_avg_sq.two']);
    expect(ranges(adamw, { ...state, exp_avg_sq: cutMoment })).toEqual([
      ['wte', 'one', 192],
      ['two', 'bias', 144],
    ]);
    expect(ranges(adamw, state, { gradients: layout(NAMES, ['bias']) })).toEqual([
      ['wte', 'norm', 336],
      ['bias', 'bias', 0],
    ]);
  });

  it('cuts at frozen parameters of the same store', () => {
    const trainable = PARAMETERS.filter(({ name }) => name !== 'two');
    const names = trainable.map((p) => p.name);
    const stateOfTrainable = {
      exp_avg: momentLayout('exp_avg', names),
      exp_avg_sq: momentLayout('exp_avg_sq', names),
    };
    expect(ranges(adamw, stateOfTrainable, { trainable, gradients: layout(names) })).toEqual([
      ['wte', 'one', 192],
      ['head', 'bias', 80],
    ]);
  });

  it("excludes Muon's matrices", () => {
    const byAdam = ['wte', 'head', 'norm', 'bias'];
    const muon = describeOptimizer(training({ optimizer: 'muon' }));
    const muonState = {
      exp_avg: momentLayout('exp_avg', byAdam),
      exp_avg_sq: momentLayout('exp_avg_sq', byAdam),
    };
    expect(ranges(muon, muonState)).toEqual([
      ['wte', 'wte', 80],
      ['head', 'bias', 80],
    ]);
  });
});

describe('packedColumns', () => {
  it("separates q, k and v of GPT-2's c_attn", () => {
    const c_attn = parameter('transformer.h.0.attn.c_attn.weight', 'matrix', [8, 24]);
    expect(packedColumns(c_attn)).toEqual([
      { start: 0, end: 8 },
      { start: 8, end: 16 },
      { start: 16, end: 24 },
    ]);
  });

  it('takes an ordinary matrix as a whole', () => {
    const c_fc = parameter('transformer.h.0.mlp.c_fc.weight', 'matrix', [8, 24]);
    expect(packedColumns(c_fc)).toEqual([{ start: 0, end: 24 }]);
  });

  it('separates the parts of a packed parameter', () => {
    const parts = [
      { start: 0, end: 12 },
      { start: 12, end: 24 },
    ];
    expect(packedColumns({ ...parameter('gate_up', 'matrix', [8, 24]), parts })).toEqual(parts);
  });
});

describe('the oracle, computed by hand', () => {
  const options = {
    lr: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    eps: 0.5,
    weight_decay: 0.2,
    decoupled: true,
  };

  it('takes two steps of AdamW', () => {
    const p = Float64Array.of(1);
    const state = torch.adamState(1);
    torch.adam(p, Float64Array.of(2), state, options);
    // Corrected moments m = 2 and v = 4: 1 (1 - 0.1 * 0.2) - 0.1 * 2 / (2 + 0.5) = 0.98 - 0.08.
    expect(p[0]).toBeCloseTo(0.9, 14);
    torch.adam(p, Float64Array.of(-1), state, options);
    // exp_avg = 0.9 * 0.2 - 0.1 = 0.08, corrected by 1 - 0.9^2 = 0.19; exp_avg_sq = 0.99 * 0.04 +
    // 0.01 = 0.0496, corrected by 1 - 0.99^2 = 0.0199.
    const update = 0.08 / 0.19 / (Math.sqrt(0.0496 / 0.0199) + 0.5);
    expect(p[0]).toBeCloseTo(0.9 * 0.98 - 0.1 * update, 14);
  });

  it("adds weight decay to Adam's gradient", () => {
    const p = Float64Array.of(1);
    torch.adam(p, Float64Array.of(1.8), torch.adamState(1), { ...options, decoupled: false });
    // The gradient becomes 1.8 + 0.2 = 2.
    expect(p[0]).toBeCloseTo(1 - 0.08, 14);
  });

  it("does not dampen SGD's momentum", () => {
    const p = Float64Array.of(1);
    const buffer = new Float64Array(1);
    const sgdOptions = { lr: 0.1, momentum: 0.5, weight_decay: 0 };
    torch.sgd(p, Float64Array.of(1), buffer, sgdOptions);
    torch.sgd(p, Float64Array.of(1), buffer, sgdOptions);
    expect(p[0]).toBeCloseTo(1 - 0.1 - 0.15, 14);
  });

  it('scales all gradients by one factor when it clips', () => {
    const gradients = [Float64Array.of(3, 0), Float64Array.of(4)];
    expect(torch.clipGradNorm(gradients, 1)).toBe(5);
    expect(gradients.map((g) => [...g])).toEqual([[3 / 5.000001, 0], [4 / 5.000001]]);
    expect(torch.clipGradNorm([Float64Array.of(0.5)], 1)).toBe(0.5);
  });

  it('keeps the direction of a multiple of an orthogonal matrix under Newton-Schulz', () => {
    const orthogonal = Float64Array.of(0.6, -0.8, 0.8, 0.6);
    const scaled = torch.newtonSchulz({ rows: 2, columns: 2, data: orthogonal.map((v) => 7 * v) });
    // Both singular values start at 1/sqrt(2), and each of the five steps maps s to
    // 3.4445 s - 4.775 s^3 + 2.0315 s^5.
    let s = Math.SQRT1_2;
    for (let step = 0; step < 5; step++) s = 3.4445 * s - 4.775 * s ** 3 + 2.0315 * s ** 5;
    scaled.data.forEach((v, i) => expect(v).toBeCloseTo(s * (orthogonal[i] ?? NaN), 6));
    expect(s).toBeGreaterThan(0.7);
    expect(s).toBeLessThan(1.2);
  });
});
