/** Samples and generation: token ids from the model become text and probabilities for the page. */
import type { SamplingConfig } from '../config/index.ts';
import type { PromptExample, Turns } from '../common/index.ts';
import { DataError, pieceText, type StageData, TokenStream } from '../data/index.ts';
import type { Choice, Generator } from '../model/index.ts';
import type { Sample, TokenPiece } from '../protocol/index.ts';
import { breathe } from '../train/index.ts';
import { promptIds } from './prompt_ids.ts';
import type { PreparedText } from './prepared_text.ts';

/** What generates, for which text, and until when. */
export interface Source {
  generator: Pick<Generator, 'generateRows'>;
  text: PreparedText;
  /** Checked after every token. */
  stopped: () => boolean;
}

/** Tokens of a chunk arrive without a pause; the worker answers its messages this often. */
const BREATHE_MS = 5;

/** Streams the tokens after a prompt, up to the end-of-text token or `max_new_tokens`. */
export async function* generatePieces(
  source: Source,
  prompt: string,
  sampling: SamplingConfig,
): AsyncGenerator<TokenPiece> {
  const prompts = [promptIds(source.text, prompt, sampling.sample_seed)];
  for await (const { piece } of rowPieces(source, prompts, sampling)) if (piece) yield piece;
}

interface RowPiece {
  row: number;
  /** Null for the end-of-text token. */
  piece: TokenPiece | null;
  /** The last of its row. */
  isLast: boolean;
}

/** The tokens after each prompt; all rows are generated together where the backend can. */
async function* rowPieces(
  { generator, text, stopped }: Source,
  prompts: readonly (readonly number[])[],
  sampling: SamplingConfig,
): AsyncGenerator<RowPiece> {
  const rows = prompts.map(() => ({ stream: new TokenStream(text.tokenizer), count: 0 }));
  const { eos_token_id: stop_id, vocab_size: vocab_limit } = text.tokenizer;
  const options = { ...sampling, stop_id, vocab_limit };
  let breathed = performance.now();
  for await (const { row, choice } of generator.generateRows(prompts, options)) {
    const state = rows[row];
    if (stopped() || !state) return;
    const isStop = choice.id === stop_id;
    const piece = isStop ? null : pieceOf(text, choice, state.stream.push(choice.id));
    state.count++;
    yield { row, piece, isLast: isStop || state.count === sampling.max_new_tokens };
    if (performance.now() - breathed < BREATHE_MS) continue;
    await breathe();
    breathed = performance.now();
  }
}

export function pieceOf(
  { tokenizer }: Pick<PreparedText, 'tokenizer'>,
  choice: Choice,
  text: string,
): TokenPiece {
  return {
    id: choice.id,
    text,
    probability: choice.probability,
    rivals: choice.rivals.map(({ id, probability }) => ({
      text: pieceText(tokenizer, id),
      probability,
    })),
  };
}

/** A prompt and what was generated after it so far. */
interface Draft {
  prompt: string;
  /** Of a stage: what checks the answer. */
  example?: PromptExample;
  /** Null if the prompt cannot be encoded; `problem` is then one sentence. */
  ids: readonly number[] | null;
  problem?: string;
  tokens: TokenPiece[];
  complete: boolean;
  /** It ended by itself. */
  ended?: boolean;
}

/** Held-out prompts of a stage that are answered at every sampling. */
const SHOWN_PROMPTS = 4;

function draftsOf(text: PreparedText, prompts: readonly string[], seed: number): Draft[] {
  const held_out = text.stage?.data.prompts.val.slice(0, SHOWN_PROMPTS) ?? [];
  if (held_out.length === 0) return prompts.map((prompt) => draftOf(text, prompt, seed));
  return held_out.map(({ ids, example }) => ({
    prompt: shownPrompt(example.prompt),
    example,
    ids: [...ids],
    tokens: [],
    complete: false,
  }));
}

/** The last message, which is what is asked. */
const shownPrompt = (prompt: Turns): string =>
  typeof prompt === 'string' ? prompt : (prompt.at(-1)?.content ?? '');

function draftOf(text: PreparedText, prompt: string, seed: number): Draft {
  try {
    return { prompt, ids: promptIds(text, prompt, seed), tokens: [], complete: false };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const hint = error.hint.charAt(0).toLowerCase() + error.hint.slice(1);
    const problem = `${error.message.replace(/\.$/u, '')}: ${hint}`;
    return { prompt, ids: null, problem, tokens: [], complete: true };
  }
}

/**
 * Generates one sample per prompt and calls `each` in the order of the prompts, each as early as
 * that order allows. Resolves to the mean share of new text, between 0 (all of it is copied from
 * the training text) and 1, or NaN without any. A prompt that cannot be encoded gives a sample with
 * a `problem`.
 */
export async function drawSamples(
  source: Source,
  sampling: SamplingConfig,
  step: number,
  each: (sample: Sample) => void,
): Promise<number> {
  const { text } = source;
  // The seed depends on the step: with the same one, samples would differ only where the model does.
  const sample_seed = (sampling.sample_seed + step) % 2 ** 31;
  const drafts = draftsOf(text, sampling.prompts, sample_seed);
  const rows = drafts.filter((draft) => draft.ids !== null);
  const { max_new_tokens: max_tokens } = sampling;
  const shares: number[] = [];
  let told = 0;
  const tellComplete = (): void => {
    for (let draft = drafts[told]; draft?.complete; draft = drafts[told]) {
      const share = draft.ids ? novelShare(text, draft) : NaN;
      if (!Number.isNaN(share)) shares.push(share);
      each(sampleOf(draft, { step, memorized: share === 0, stage: text.stage?.data, max_tokens }));
      told++;
    }
  };
  tellComplete();
  const prompts = rows.map((draft) => draft.ids ?? []);
  if (prompts.length === 0) return NaN;
  const pieces = rowPieces(source, prompts, { ...sampling, sample_seed });
  for await (const { row, piece, isLast } of pieces) {
    const draft = rows[row];
    if (!draft) continue;
    if (piece) draft.tokens.push(piece);
    if (isLast) draft.complete = true;
    if (!piece) draft.ended = true;
    tellComplete();
  }
  if (shares.length === 0) return NaN;
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

interface SampleFacts {
  step: number;
  memorized: boolean;
  stage: StageData | undefined;
  max_tokens: number;
}

function sampleOf(draft: Draft, { step, memorized, stage, max_tokens }: SampleFacts): Sample {
  const { prompt, problem, tokens, example } = draft;
  const sample: Sample = { step, prompt, tokens, memorized };
  if (problem !== undefined) sample.problem = problem;
  if (!stage || !example) return sample;
  const answer = {
    text: tokens.map((piece) => piece.text).join(''),
    ended: draft.ended ?? false,
    tokens: tokens.length,
    max_tokens,
  };
  const scores = stage.rewards.map(
    (reward) => [reward.name, reward.score(example, answer)] as const,
  );
  sample.rewards = Object.fromEntries(scores);
  return sample;
}

/**
 * The share of a sample that is new: of its whole documents, or, if it has none, of the text as one
 * piece. NaN for an empty sample.
 */
function novelShare(text: PreparedText, { prompt, tokens }: Draft): number {
  // The examples of a stage are no text to copy from.
  if (text.stage) return NaN;
  const generated = tokens.map((piece) => piece.text).join('');
  const whole = prompt + generated;
  if (whole.trim() === '') return NaN;
  if (text.by_document && text.tokenizer.eos_token_id === null) {
    const documents = whole
      .split(text.separator)
      .slice(0, -1)
      .filter((document) => document.trim() !== '');
    const novel = documents.filter((document) => !text.memorized.isDocument(document));
    if (documents.length > 0) return novel.length / documents.length;
  }
  return text.memorized.contains(generated) ? 0 : 1;
}
