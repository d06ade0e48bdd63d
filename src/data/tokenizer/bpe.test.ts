import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadMobyDick } from '../corpora/assets.ts';
import { cpuMilliseconds, readAsset } from '../fixtures/node.ts';
import { anyText } from '../fixtures/text.ts';
import { oracleOf } from '../fixtures/oracle.ts';
import { bpeTokenizer, modelOf, trainBpeTokenizer } from './bpe.ts';
import { trainBpe, type Merges } from './bpe_trainer.ts';
import { wordEnd } from './pretokenize.ts';

/** The regular expression of GPT-2's encoder.py, with Unicode's White_Space for its \s. */
const GPT2 = new RegExp(
  [
    /'s|'t|'re|'ve|'m|'ll|'d/,
    / ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+/u,
    /\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/u,
  ]
    .map(({ source }) => source)
    .join('|'),
  'gu',
);

function words(text: string): string[] {
  const list: string[] = [];
  for (let start = 0; start < text.length;) {
    const end = wordEnd(text, start);
    list.push(text.slice(start, end));
    start = end;
  }
  return list;
}

/** The textbook algorithm: count every pair, merge the most frequent, count again. */
function naiveMerges(text: string, count: number): number[][] {
  let lists = words(text).map((word) => [...Buffer.from(word, 'utf8')]);
  const merges: number[][] = [];
  while (merges.length < count) {
    const counts = new Map<number, number>();
    for (const list of lists)
      for (let i = 1; i < list.length; i++)
        counts.set(
          list[i - 1]! * 32768 + list[i]!,
          (counts.get(list[i - 1]! * 32768 + list[i]!) ?? 0) + 1,
        );
    const [best] = [...counts].filter(([, n]) => n >= 2).sort(([a, n], [b, m]) => m - n || a - b);
    if (best === undefined) break;
    const [left, right] = [Math.floor(best[0] / 32768), best[0] % 32768];
    const id = 256 + merges.length;
    merges.push([left, right]);
    lists = lists.map((list) => {
      const merged: number[] = [];
      for (let i = 0; i < list.length; i++) {
        if (list[i] === left && list[i + 1] === right) {
          merged.push(id);
          i++;
        } else merged.push(list[i]!);
      }
      return merged;
    });
  }
  return merges;
}

const asPairs = ({ left, right }: Merges) => [...left].map((id, i) => [id, right[i]]);
/** Text with the repetitions, spaces, digits and apostrophes that the algorithms are about. */
const messy = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'a',
        'aa',
        'ab',
        ' ',
        '  ',
        '\n',
        "'s",
        "'ll",
        "don't",
        '12',
        '3',
        '. ',
        '\u00a0',
        '\u0085',
        '\ufeff',
        'é',
        '日本',
        '🌍',
        '𝒜',
        '𝟙',
        '½',
      ),
      anyText({ maxLength: 4 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

describe('pre-tokenizer', () => {
  it('cuts any text like the regular expression', () => {
    fc.assert(
      fc.property(messy, (text) => {
        expect(words(text)).toEqual(text.match(GPT2) ?? []);
      }),
      { numRuns: 2000 },
    );
  });
  it('cuts a novel like the regular expression', async () => {
    const text = (await loadMobyDick(readAsset)).documents.join('\n\n');
    expect(words(text)).toEqual(text.match(GPT2));
  });
});

describe('trainer', () => {
  it('learns the merges of the naive algorithm', async () => {
    await fc.assert(
      fc.asyncProperty(messy, async (text) => {
        const naive = naiveMerges(text, 20);
        fc.pre(naive.length > 0);
        expect(asPairs(await trainBpe([text], { vocab_size: 257 + naive.length }))).toEqual(naive);
      }),
      { numRuns: 300 },
    );
  });
  it('learns the merges of the naive algorithm on a chapter', async () => {
    const [chapter] = (await loadMobyDick(readAsset)).documents;
    expect(asPairs(await trainBpe([chapter!], { vocab_size: 457 }))).toEqual(
      naiveMerges(chapter!, 200),
    );
  });
  it('stops at the largest vocabulary that the text supports', async () => {
    const text = 'low lower lowest low lower';
    const supported = 257 + naiveMerges(text, 1000).length;
    const merges = await trainBpe([text], { vocab_size: 5000 });
    expect(asPairs(merges)).toEqual(naiveMerges(text, 1000));
    const tokenizer = await trainBpeTokenizer([text], { vocab_size: 5000 });
    expect([tokenizer.vocab_size, tokenizer.eos_token_id]).toEqual([supported, supported - 1]);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(asPairs(await trainBpe([text], { vocab_size: supported }))).toEqual(asPairs(merges));
  });
  it('has no end-of-text token in a vocabulary of 256', async () => {
    const tokenizer = await trainBpeTokenizer(['abc'], { vocab_size: 256 });
    expect([tokenizer.vocab_size, tokenizer.eos_token_id]).toEqual([256, null]);
  });
  it('reports progress and can be cancelled', async () => {
    const { documents } = await loadMobyDick(readAsset);
    const phases = new Set<string>();
    const cancel = new AbortController();
    const training = trainBpe(documents, {
      vocab_size: 10000,
      signal: cancel.signal,
      onProgress: ({ phase, done, total }) => {
        phases.add(phase);
        expect(done).toBeLessThanOrEqual(total);
        if (phase === 'merging') cancel.abort();
      },
    });
    await expect(training).rejects.toMatchObject({ code: 'cancelled' });
    expect([...phases]).toEqual(['counting', 'merging']);
  });
  it('trains on one long word', async () => {
    const started = cpuMilliseconds();
    // ab, abab, ... up to 1024 bytes, and then nothing longer.
    const { left } = await trainBpe(['ab'.repeat(500_000)], { vocab_size: 400 });
    expect(left).toHaveLength(10);
    expect(cpuMilliseconds() - started).toBeLessThan(10_000);
  });
});

describe('tokenizer', async () => {
  const { documents } = await loadMobyDick(readAsset);
  const novel = documents.join('\n\n');
  const tokenizer = await trainBpeTokenizer(documents, { vocab_size: 4096 });
  const oracle = oracleOf(tokenizer);

  it('has the requested vocabulary, with the end-of-text token last', () => {
    expect([tokenizer.vocab_size, tokenizer.eos_token_id]).toEqual([4096, 4095]);
    expect(tokenizer.tokenBytes(4095)).toHaveLength(0);
  });
  it('gives the same ids and text as the native tokenizers for a novel', async () => {
    const ids = tokenizer.encode(novel);
    expect([...ids]).toEqual(await oracle.encode(novel));
    expect(tokenizer.decode(ids)).toBe(novel);
    expect(await oracle.decode(ids)).toBe(novel);
    expect(ids.length).toBeLessThan(novel.length / 3);
  });
  it('gives the same ids and text as the native tokenizers for any text', async () => {
    await fc.assert(
      fc.asyncProperty(messy, async (text) => {
        const ids = tokenizer.encode(text);
        expect([...ids]).toEqual(await oracle.encode(text));
        expect(tokenizer.decode(ids)).toBe(text);
        // A fixed seed: what is a letter among the newest code points depends on the Unicode
        // version of either side.
      }),
      { numRuns: 500, seed: 1 },
    );
    const parts = tokenizer.encode('one<|endoftext|>two<|endoftext|>');
    expect([...parts]).toEqual(await oracle.encode('one<|endoftext|>two<|endoftext|>'));
    expect(parts.at(-1)).toBe(4095);
  });
  it('encodes the same ids with and without its cache, and for long words', () => {
    const fresh = () =>
      bpeTokenizer(modelOf({ left: Int32Array.of(97, 256), right: Int32Array.of(97, 256) }, true));
    const long = 'a'.repeat(100_003);
    expect(fresh().encode(long)).toHaveLength(25_000 + 2);
    const warm = fresh();
    expect(warm.encode('aaa aaa')).toEqual(warm.encode('aaa aaa'));
  });
});
