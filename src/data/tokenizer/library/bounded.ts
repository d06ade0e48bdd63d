/**
 * @huggingface/tokenizers with bounds on time and memory: expressions are matched by `matcher.ts`,
 * and no part may make the text much longer. Loaded only for tokenizers that need the library.
 */
import {
  Normalizer,
  PreTokenizer,
  ReplaceNormalizer,
  ReplacePreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  SplitPreTokenizer,
  Tokenizer,
} from '@huggingface/tokenizers';
import { ownProperty } from '../outline.ts';
import { Expressions, replaceMatches, splitAtMatches, type Kept } from './expressions.ts';
import { checkLimits, grownLength, tooLong } from './limits.ts';

type PreTokenizeOptions = Parameters<PreTokenizer['pre_tokenize']>[1];
/** `limit`: the largest length of the result. */
type NormalizerStep = (text: string, limit: number) => string;
type PreTokenizerStep = (pieces: string[], limit: number, options: PreTokenizeOptions) => string[];

class BoundedNormalizer extends Normalizer {
  readonly #steps: readonly NormalizerStep[];

  constructor(steps: readonly NormalizerStep[]) {
    super({ type: 'Sequence', normalizers: [] });
    this.#steps = steps;
  }

  override normalize(text: string): string {
    const limit = grownLength(text.length);
    return this.#steps.reduce((before, step) => {
      const after = step(before, limit);
      if (after.length > limit) throw tooLong();
      return after;
    }, text);
  }
}

class BoundedPreTokenizer extends PreTokenizer {
  readonly #steps: readonly PreTokenizerStep[];

  constructor(steps: readonly PreTokenizerStep[]) {
    super();
    this.#steps = steps;
  }

  override pre_tokenize_text(text: string, options?: PreTokenizeOptions): string[] {
    const limit = grownLength(text.length);
    return this.#steps.reduce(
      (before, step) => {
        const after = step(before, limit, options);
        if (after.reduce((sum, piece) => sum + piece.length, 0) > limit) throw tooLong();
        return after;
      },
      [text],
    );
  }
}

/** The normalizers of a sequence, and of the sequences in it. */
function normalizersIn(normalizer: Normalizer | null): Normalizer[] {
  if (normalizer === null) return [];
  if (!(normalizer instanceof SequenceNormalizer)) return [normalizer];
  return normalizer.normalizers.flatMap(normalizersIn);
}

function preTokenizersIn(preTokenizer: PreTokenizer | null): PreTokenizer[] {
  if (preTokenizer === null) return [];
  if (!(preTokenizer instanceof SequencePreTokenizer)) return [preTokenizer];
  return preTokenizer.tokenizers.flatMap(preTokenizersIn);
}

async function normalizerStep(part: Normalizer, expressions: Expressions): Promise<NormalizerStep> {
  if (!(part instanceof ReplaceNormalizer)) return (text) => part.normalize(text);
  const matcher = await expressions.compile(part.pattern);
  const content = String(part.config.content ?? '');
  return (text, limit) => replaceMatches(text, matcher, { content, limit });
}

async function preTokenizerStep(
  part: PreTokenizer,
  expressions: Expressions,
): Promise<PreTokenizerStep> {
  if (part instanceof ReplacePreTokenizer) {
    const matcher = await expressions.compile(part.pattern);
    const { content } = part;
    return (pieces, limit) =>
      pieces.map((piece) => replaceMatches(piece, matcher, { content, limit }));
  }
  if (part instanceof SplitPreTokenizer) {
    const matcher = await expressions.compile(part.pattern);
    const kept = keptParts(part);
    return (pieces) => pieces.flatMap((piece) => splitAtMatches(piece, matcher, kept));
  }
  return (pieces, _limit, options) => part.pre_tokenize(pieces, options);
}

function keptParts({ config }: SplitPreTokenizer): Kept {
  if (config.invert) return 'matches';
  return String(config.behavior).toLowerCase() === 'removed' ? 'others' : 'all';
}

export interface BoundedLibrary {
  tokenizer: Tokenizer;
  /** Contents of the added tokens by id, as in the file. */
  added: ReadonlyMap<number, string>;
  /** Ids of a text. @throws DataError tokenizer_unsupported if it takes too long. */
  encode(text: string): number[];
}

/** A model that takes no time to make, for a tokenizer whose parts alone are wanted. */
const NO_MODEL = { type: 'BPE', vocab: {}, merges: [] };

/**
 * Makes the library's tokenizer of a file. Post-processors are left out: they only add special
 * tokens.
 *
 * @throws DataError tokenizer_unsupported or tokenizer_malformed, or what the library throws.
 */
export async function boundedLibrary(file: object): Promise<BoundedLibrary> {
  checkLimits(file);
  const partsOnly = { ...file, model: NO_MODEL, added_tokens: [], post_processor: null };
  const { normalizer, pre_tokenizer } = new Tokenizer(partsOnly, {});
  const expressions = new Expressions();
  const normalizing =
    normalizer === null
      ? null
      : new BoundedNormalizer(
          await Promise.all(
            normalizersIn(normalizer).map((part) => normalizerStep(part, expressions)),
          ),
        );
  const tokenizer = new Tokenizer(
    {
      ...file,
      added_tokens: addedTokens(file, normalizing),
      normalizer: normalizing && { type: 'Sequence', normalizers: [] },
      pre_tokenizer: null,
      post_processor: null,
    },
    {},
  );
  tokenizer.normalizer = normalizing;
  if (pre_tokenizer !== null) {
    tokenizer.pre_tokenizer = new BoundedPreTokenizer(
      await Promise.all(
        preTokenizersIn(pre_tokenizer).map((part) => preTokenizerStep(part, expressions)),
      ),
    );
  }
  return {
    tokenizer,
    added: new Map(addedIn(file).map(({ id, content }) => [id, content])),
    encode(text) {
      expressions.reset();
      return tokenizer.encode(text, { add_special_tokens: false }).ids;
    },
  };
}

interface AddedToken {
  id: number;
  content: string;
  special?: unknown;
  normalized?: unknown;
}

function addedIn(file: object): AddedToken[] {
  const added = ownProperty(file, 'added_tokens');
  return Array.isArray(added) ? added.filter(isAddedToken) : [];
}

const isAddedToken = (token: unknown): token is AddedToken =>
  typeof ownProperty(token, 'id') === 'number' && typeof ownProperty(token, 'content') === 'string';

/**
 * The added tokens, where a normalized one has its content after normalization: the library would
 * normalize it with the file's own normalizer.
 */
function addedTokens(file: object, normalizer: BoundedNormalizer | null): AddedToken[] {
  return addedIn(file).map((token) => {
    const { content, normalized = token.special !== true } = token;
    if (normalizer === null || normalized !== true) return token;
    return { ...token, content: normalizer.normalize(content) };
  });
}
