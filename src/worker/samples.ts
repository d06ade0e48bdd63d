/** Samples and generation: ids from the model, text and probabilities for the page. */
import type { SamplingConfig } from '../config/index.ts';
import { pieceText, TokenStream } from '../data/index.ts';
import type { Choice, Generator } from '../model/index.ts';
import type { Sample, TokenPiece } from '../protocol/index.ts';
import { breathe } from '../train/index.ts';
import type { PreparedText } from './text.ts';

/** Ids to start from: what stands before a document's first token, then the prompt. Throws DataError for unknown characters. */
export function promptIds(text: PreparedText, prompt: string): number[] {
  const { tokenizer, separator, by_document } = text, ids = [...tokenizer.encode(prompt)];
  if (!by_document && ids.length > 0) return ids;
  const start = tokenizer.eos_token_id === null ? [...tokenizer.encode(separator)] : [tokenizer.eos_token_id];
  return [...start, ...ids];
}

/** Streams pieces after a prompt; ends at the end-of-text token, at `max_new_tokens`, or when `stopped` says so. */
export async function* generatePieces(generator: Generator, text: PreparedText, prompt: string, sampling: SamplingConfig, stopped: () => boolean): AsyncGenerator<TokenPiece> {
  const stream = new TokenStream(text.tokenizer);
  for await (const choice of generator.generate(promptIds(text, prompt), sampling, sampling.max_new_tokens)) {
    if (stopped() || choice.id === text.tokenizer.eos_token_id) return;
    yield piece(text, choice, stream.push(choice.id));
    await breathe();
  }
}

const piece = (text: PreparedText, choice: Choice, shown: string): TokenPiece => ({
  id: choice.id, text: shown, probability: choice.probability, rivals: choice.rivals.map((r) => ({ text: pieceText(text.tokenizer, r.id), probability: r.probability })),
});

/** One sample a prompt, and the share of them that the training text does not hold word for word (NaN without any). */
export async function drawSamples(generator: Generator, text: PreparedText, sampling: SamplingConfig, step: number, each: (sample: Sample) => void, stopped: () => boolean): Promise<number> {
  const shares: number[] = [];
  for (const prompt of sampling.prompts) {
    const tokens: TokenPiece[] = [];
    // A new seed a step: the samples of a run would else only change where the model does.
    for await (const p of generatePieces(generator, text, prompt, { ...sampling, sample_seed: (sampling.sample_seed + step) % 2 ** 31 }, stopped)) tokens.push(p);
    if (stopped()) break;
    const share = novelShare(text, prompt, tokens.map((t) => t.text).join(''));
    if (!Number.isNaN(share)) shares.push(share);
    each({ step, prompt, tokens, memorized: share === 0 });
  }
  return shares.length > 0 ? shares.reduce((a, b) => a + b, 0) / shares.length : NaN;
}

/** Share of what was written that is new: of its whole documents where there are some, else of the text as one piece. */
function novelShare(text: PreparedText, prompt: string, written: string): number {
  const whole = prompt + written;
  if (whole.trim() === '') return NaN;
  if (text.by_document && text.tokenizer.eos_token_id === null) {
    const documents = whole.split(text.separator).slice(0, -1).filter((d) => d.trim() !== '');
    if (documents.length > 0) return documents.filter((d) => !text.memorized.isDocument(d)).length / documents.length;
  }
  return text.memorized.contains(written) ? 0 : 1;
}
