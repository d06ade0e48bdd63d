/** Samples and generation: ids from the model, text and probabilities for the page. */
import type { SamplingConfig } from '../config/index.ts';
import { DataError, pieceText, TokenStream } from '../data/index.ts';
import type { Choice, Generator } from '../model/index.ts';
import type { Sample, TokenPiece } from '../protocol/index.ts';
import { breathe } from '../train/index.ts';
import type { PreparedText } from './text.ts';

type Rows = Pick<Generator, 'generateRows'>;

/**
 * Ids to start from: what stands before a document's first token, then the prompt. Throws DataError
 * for unknown characters.
 */
export function promptIds(text: PreparedText, prompt: string): number[] {
  const { tokenizer, separator, by_document } = text;
  const ids = [...tokenizer.encode(prompt)];
  if (!by_document && ids.length > 0) return ids;
  const start =
    tokenizer.eos_token_id === null ? [...tokenizer.encode(separator)] : [tokenizer.eos_token_id];
  return [...start, ...ids];
}

/**
 * Streams pieces after a prompt; ends at the end-of-text token, at `max_new_tokens`, or when
 * `stopped` says so.
 */
export async function* generatePieces(
  generator: Rows,
  text: PreparedText,
  prompt: string,
  sampling: SamplingConfig,
  stopped: () => boolean,
): AsyncGenerator<TokenPiece> {
  for await (const { piece } of pieces(
    generator,
    text,
    [promptIds(text, prompt)],
    sampling,
    stopped,
  ))
    if (piece) yield piece;
}

interface RowPiece {
  row: number;
  /** None for the end-of-text token. */ piece: TokenPiece | null;
  /** The row's last. */ ends: boolean;
}

/** Pieces after each of the prompts, all of them at once where the backend can. */
async function* pieces(
  generator: Rows,
  text: PreparedText,
  prompts: readonly (readonly number[])[],
  sampling: SamplingConfig,
  stopped: () => boolean,
): AsyncGenerator<RowPiece> {
  const rows = prompts.map(() => ({ stream: new TokenStream(text.tokenizer), made: 0 }));
  const stop_id = text.tokenizer.eos_token_id;
  let breathed = performance.now();
  for await (const { row, choice } of generator.generateRows(prompts, { ...sampling, stop_id })) {
    const r = rows[row];
    if (stopped() || !r) return;
    const stops = choice.id === stop_id;
    const piece = stops ? null : pieceOf(text, choice, r.stream.push(choice.id));
    yield { row, piece, ends: ++r.made === sampling.max_new_tokens || stops };
    // Tokens of a chunk come without a pause between them.
    if (performance.now() - breathed < BREATHE_MS) continue;
    await breathe();
    breathed = performance.now();
  }
}
const BREATHE_MS = 5;

const pieceOf = (text: PreparedText, choice: Choice, shown: string): TokenPiece => ({
  id: choice.id,
  text: shown,
  probability: choice.probability,
  rivals: choice.rivals.map((r) => ({
    text: pieceText(text.tokenizer, r.id),
    probability: r.probability,
  })),
});

/** The ids of a prompt, or one sentence on why it has none. */
function readPrompt(text: PreparedText, prompt: string): readonly number[] | string {
  try {
    return promptIds(text, prompt);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return `${error.message.replace(/\.$/u, '')}: ${error.hint.charAt(0).toLowerCase()}${error.hint.slice(1)}`;
  }
}

/**
 * One sample a prompt, and the share of them that the training text does not hold word for word
 * (NaN without any). A prompt that cannot be read says so in its place.
 */
export async function drawSamples(
  generator: Rows,
  text: PreparedText,
  sampling: SamplingConfig,
  step: number,
  each: (sample: Sample) => void,
  stopped: () => boolean,
): Promise<number> {
  const written = sampling.prompts.map((prompt) => {
    const ids = readPrompt(text, prompt);
    const tokens: TokenPiece[] = [];
    return typeof ids === 'string'
      ? { prompt, ids: null, problem: ids, tokens, ended: true }
      : { prompt, ids, problem: null, tokens, ended: false };
  });
  const rows = written.filter((w) => w.ids !== null);
  const ids = rows.flatMap((w) => (w.ids ? [w.ids] : []));
  const shares: number[] = [];
  let told = 0;
  // In the order of the prompts, each as soon as it can.
  const tell = (): void => {
    for (let next = written[told]; next?.ended; next = written[++told]) {
      const { prompt, problem, tokens } = next;
      if (problem !== null) {
        each({ step, prompt, tokens, memorized: false, problem });
        continue;
      }
      const share = novelShare(text, prompt, tokens.map((t) => t.text).join(''));
      if (!Number.isNaN(share)) shares.push(share);
      each({ step, prompt, tokens, memorized: share === 0 });
    }
  };
  tell();
  if (ids.length === 0) return NaN;
  // A new seed a step: the samples of a run would else only change where the model does.
  for await (const { row, piece, ends } of pieces(
    generator,
    text,
    ids,
    { ...sampling, sample_seed: (sampling.sample_seed + step) % 2 ** 31 },
    stopped,
  )) {
    const of = rows[row];
    if (piece) of?.tokens.push(piece);
    if (of && ends) of.ended = true;
    tell();
  }
  return shares.length > 0 ? shares.reduce((a, b) => a + b, 0) / shares.length : NaN;
}

/**
 * Share of what was written that is new: of its whole documents where there are some, else of the
 * text as one piece.
 */
function novelShare(text: PreparedText, prompt: string, written: string): number {
  const whole = prompt + written;
  if (whole.trim() === '') return NaN;
  if (text.by_document && text.tokenizer.eos_token_id === null) {
    const documents = whole
      .split(text.separator)
      .slice(0, -1)
      .filter((d) => d.trim() !== '');
    if (documents.length > 0)
      return documents.filter((d) => !text.memorized.isDocument(d)).length / documents.length;
  }
  return text.memorized.contains(written) ? 0 : 1;
}
