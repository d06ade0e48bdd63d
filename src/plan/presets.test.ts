/** The plan's guesses against the built-in texts, and each preset against the text that it names. */
import { expect, it } from 'vitest';
import { CORPORA, PRESETS, checkConfig, defaultConfig, type RunConfig } from '../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer } from '../data/index.ts';
import { readAsset } from '../data/fixtures/node.ts';
import { guessVocab } from './index.ts';

async function prepareText({ data, tokenizer: kind }: RunConfig) {
  const corpus = await loadCorpus(data, { fetchText: readAsset });
  const split = makeSplit(corpus, { val_fraction: data.val_fraction });
  return { split, tokenizer: await makeTokenizer(kind, split) };
}

it.each(PRESETS.map((p) => [p.id, p.config] as const))(
  'the preset %s is valid for its text, and its vocabulary has the guessed size',
  async (_id, config) => {
    const { split, tokenizer } = await prepareText(config);
    const { vocab_size } = tokenizer;
    const val_tokens = tokenizer.encode(split.val.join(split.separator)).length;
    expect(vocab_size).toBe(guessVocab(config));
    const problems = checkConfig(config, { vocab_size, val_tokens, max_binding_size: 2 ** 27 });
    expect(problems).toEqual([]);
    for (const prompt of config.sampling.prompts)
      expect(() => tokenizer.encode(prompt)).not.toThrow();
  },
);

it.each(CORPORA.filter((corpus) => corpus !== 'own'))(
  'guesses the number of characters of %s',
  async (corpus) => {
    const config = { ...defaultConfig(), data: { ...defaultConfig().data, corpus } };
    const { tokenizer } = await prepareText(config);
    expect(tokenizer.vocab_size).toBe(guessVocab(config));
  },
);
