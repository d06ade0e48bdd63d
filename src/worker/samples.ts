/** Samples and generation: ids from the model, text and probabilities for the page. */
import type { SamplingConfig } from '../config/index.ts';
import { pieceText, TokenStream } from '../data/index.ts';
import type { Choice, Generator } from '../model/index.ts';
import type { Sample, TokenPiece } from '../protocol/index.ts';
import { breathe } from '../train/index.ts';
import type { PreparedText } from './text.ts';

type Rows = Pick<Generator, 'generateRows'>;

/** Ids to start from: what stands before a document's first token, then the prompt. Throws DataError for unknown characters. */
export function promptIds(text: PreparedText, prompt: string): number[] {
  const { tokenizer, separator, by_document } = text, ids = [...tokenizer.encode(prompt)];
  if (!by_document && ids.length > 0) return ids;
  const start = tokenizer.eos_token_id === null ? [...tokenizer.encode(separator)] : [tokenizer.eos_token_id];
  return [...start, ...ids];
}

/** Streams pieces after a prompt; ends at the end-of-text token, at `max_new_tokens`, or when `stopped` says so. */
export async function* generatePieces(generator: Rows, text: PreparedText, prompt: string, sampling: SamplingConfig, stopped: () => boolean): AsyncGenerator<TokenPiece> {
  for await (const { piece } of pieces(generator, text, [prompt], sampling, stopped)) if (piece) yield piece;
}

interface RowPiece { row: number; /** None for the end-of-text token. */ piece: TokenPiece | null; /** The row's last. */ ends: boolean }

/** Pieces after each of the prompts, all of them at once where the backend can. */
async function* pieces(generator: Rows, text: PreparedText, prompts: readonly string[], sampling: SamplingConfig, stopped: () => boolean): AsyncGenerator<RowPiece> {
  const rows = prompts.map(() => ({ stream: new TokenStream(text.tokenizer), made: 0 })), stop_id = text.tokenizer.eos_token_id;
  let breathed = performance.now();
  for await (const { row, choice } of generator.generateRows(prompts.map((p) => promptIds(text, p)), { ...sampling, stop_id })) {
    const r = rows[row];
    if (stopped() || !r) return;
    const stops = choice.id === stop_id, piece = stops ? null : pieceOf(text, choice, r.stream.push(choice.id));
    yield { row, piece, ends: ++r.made === sampling.max_new_tokens || stops };
    // Tokens of a chunk come without a pause between them.
    if (performance.now() - breathed < BREATHE_MS) continue;
    await breathe();
    breathed = performance.now();
  }
}
const BREATHE_MS = 5;

const pieceOf = (text: PreparedText, choice: Choice, shown: string): TokenPiece => ({
  id: choice.id, text: shown, probability: choice.probability, rivals: choice.rivals.map((r) => ({ text: pieceText(text.tokenizer, r.id), probability: r.probability })),
});

/** One sample a prompt, and the share of them that the training text does not hold word for word (NaN without any). */
export async function drawSamples(generator: Rows, text: PreparedText, sampling: SamplingConfig, step: number, each: (sample: Sample) => void, stopped: () => boolean): Promise<number> {
  const { prompts } = sampling, written = prompts.map((): { tokens: TokenPiece[]; ended: boolean } => ({ tokens: [], ended: false })), shares: number[] = [];
  let told = 0;
  // A new seed a step: the samples of a run would else only change where the model does.
  for await (const { row, piece, ends } of pieces(generator, text, prompts, { ...sampling, sample_seed: (sampling.sample_seed + step) % 2 ** 31 }, stopped)) {
    const of = written[row];
    if (piece) of?.tokens.push(piece);
    if (of && ends) of.ended = true;
    // In the order of the prompts, each as soon as it can.
    for (let next = written[told]; next?.ended; next = written[++told]) {
      const prompt = prompts[told] ?? '', share = novelShare(text, prompt, next.tokens.map((t) => t.text).join(''));
      if (!Number.isNaN(share)) shares.push(share);
      each({ step, prompt, tokens: next.tokens, memorized: share === 0 });
    }
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
