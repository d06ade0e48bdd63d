/**
 * The built-in texts as the plan guesses them, and each preset on the text that it names: its
 * tokenizer has the size that the plan expects, and nothing stands in its way.
 */
import { expect, it } from 'vitest';
import { CORPORA, PRESETS, checkConfig, defaultConfig } from '../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer } from '../data/index.ts';
import { readAsset } from '../data/fixtures/node.ts';
import { guessVocab } from './index.ts';

it.each(PRESETS.map((p) => [p.id, p.config] as const))('%s', async (_id, config) => {
  const split = makeSplit(await loadCorpus(config.data, { fetchText: readAsset }), {
    val_fraction: config.data.val_fraction,
  });
  const tokenizer = await makeTokenizer(config.tokenizer, split);
  const val_tokens = tokenizer.encode(split.val.join(split.separator)).length;
  expect(tokenizer.vocab_size).toBe(guessVocab(config));
  expect(
    checkConfig(config, {
      vocab_size: tokenizer.vocab_size,
      val_tokens,
      max_binding_size: 2 ** 27,
    }),
  ).toEqual([]);
  for (const prompt of config.sampling.prompts)
    expect(() => tokenizer.encode(prompt)).not.toThrow();
});

it.each(CORPORA.filter((corpus) => corpus !== 'own'))('characters of %s', async (corpus) => {
  const config = { ...defaultConfig(), data: { ...defaultConfig().data, corpus } };
  const split = makeSplit(await loadCorpus(config.data, { fetchText: readAsset }), {
    val_fraction: config.data.val_fraction,
  });
  expect((await makeTokenizer(config.tokenizer, split)).vocab_size).toBe(guessVocab(config));
});
