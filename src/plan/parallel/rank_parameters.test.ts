import { describe, expect, it } from 'vitest';
import { listParameters, parameterSize } from '../../model/parameters.ts';
import { countParameters } from '../parameters.ts';
import { countRankParameters, type RankParameter, rankParameters } from './rank_parameters.ts';
import { LAYOUTS, meshOf, modelOf } from './testing_models.ts';

const sorted = (list: readonly string[]): string[] => [...list].sort();

const spelledOut = (list: readonly RankParameter[]): string[] =>
  list.flatMap(({ kind, values, copies }) => Array<string>(copies).fill(`${kind} ${values}`));

describe.each(LAYOUTS)('the parameters of %s', (_name, model) => {
  it('are those of the model on one rank', () => {
    const listed = listParameters(model).map((one) => `${one.kind} ${parameterSize(one)}`);
    expect(sorted(spelledOut(rankParameters(model, meshOf({}), 0)))).toEqual(sorted(listed));
  });

  it('are shared out by the stages of a pipeline, but for the copy of a tied embedding', () => {
    const mesh = meshOf({ pp: 4 });
    const stages = [0, 1, 2, 3].map((rank) => rankParameters(model, mesh, rank));
    const total = stages.reduce((sum, list) => sum + countRankParameters(list), 0);
    const copy = model.tie_word_embeddings ? model.vocab_size * model.n_embd : 0;
    expect(total).toBe(countParameters(model).total + copy);
  });

  it('are halved by two tensor-parallel ranks, except those that are whole on both', () => {
    const one = rankParameters(model, meshOf({}), 0);
    const half = rankParameters(model, meshOf({ tp: 2 }), 0);
    const positions = model.block_size * model.n_embd;
    for (const [index, whole] of one.entries()) {
      const split = half[index]?.values;
      const isWhole =
        whole.kind === 'norm' ||
        (whole.kind === 'embedding' && whole.values === positions) ||
        // Of the output of a row-parallel matmul, or of a norm.
        (whole.kind === 'bias' && whole.values === model.n_embd);
      expect(split).toBe(isWhole ? whole.values : whole.values / 2);
    }
  });
});

it('knows the embedding and the head as units of their own, and a block as one', () => {
  const list = rankParameters(modelOf({ tie_word_embeddings: false, n_layer: 3 }), meshOf({}), 0);
  expect(new Set(list.map(({ unit }) => unit))).toEqual(new Set(['block', 'embedding', 'head']));
  for (const { unit, copies } of list) expect(copies).toBe(unit === 'block' ? 3 : 1);
});
