/** Reads the vocabulary of a tokenizer.json. */
import { idsOfBytes } from './bpe.ts';
import { END_OF_TEXT } from './byte_level.ts';
import { entryBytes, scratch } from './entry_bytes.ts';
import { malformed, unsupported } from './file_errors.ts';
import { Ints } from './ints.ts';
import { JsonBytes } from './json_bytes.ts';
import { TokenBytesBuilder, type TokenBytes } from './token_bytes.ts';

/** Largest vocabulary that is read. */
const MAX_VOCAB = 1 << 19;

/**
 * Reads a vocabulary of single characters, by id.
 *
 * @param offset Offset of the vocabulary in the file.
 * @throws DataError tokenizer_malformed or tokenizer_unsupported
 */
export function readCharacters(bytes: Uint8Array, offset: number): string[] {
  const reader = new JsonBytes(bytes, offset);
  const points = new Ints();
  const ids = new Ints();
  reader.entries(() => {
    if (reader.text.length !== 1) throw unsupported('one of its tokens is not a single character');
    points.push(reader.text.data[0]!);
    pushId(ids, reader.id());
  });
  if (ids.length === 0) throw malformed('its vocabulary is empty');
  const characters = Array.from(placesById(ids), (place) =>
    String.fromCodePoint(points.data[place]!),
  );
  if (new Set(characters).size < characters.length) throw malformed('a character occurs twice');
  return characters;
}

/**
 * Reads a vocabulary in GPT-2's byte alphabet, which must contain all 256 bytes.
 *
 * @param offset Offset of the vocabulary in the file.
 * @param eos Id of the end-of-text token, which the vocabulary may contain or not; null if there is
 * none.
 * @throws DataError tokenizer_malformed or tokenizer_unsupported
 */
export function readByteLevelVocab(
  bytes: Uint8Array,
  offset: number,
  eos: number | null,
): TokenBytes {
  const reader = new JsonBytes(bytes, offset);
  const inFileOrder = new TokenBytesBuilder();
  const ids = new Ints();
  let hasEos = false;
  reader.entries(() => {
    // The end-of-text string is ASCII, so it could be an ordinary entry of the alphabet too.
    const isEos = eos !== null && isEndOfText(reader);
    const length = isEos ? 0 : entryBytes(reader.text, 0);
    if (length < 1 && !isEos) throw unsupported('one of its tokens has no bytes');
    inFileOrder.push(scratch, 0, length);
    const id = reader.id();
    if (isEos && id !== eos) throw malformed('the end-of-text token has two ids');
    hasEos ||= isEos;
    pushId(ids, id);
  });
  if (eos !== null && !hasEos) {
    inFileOrder.push(scratch, 0, 0);
    ids.push(eos);
  }
  const tokens = sortById(inFileOrder.build(), ids);
  if (idsOfBytes(tokens).some((id) => id < 0)) throw unsupported('it does not know all 256 bytes');
  return tokens;
}

function pushId(ids: Ints, id: number): void {
  ids.push(id);
  if (ids.length > MAX_VOCAB) throw malformed('its vocabulary is too large');
}

/** Compares lengths first, so that most entries are never made into a string. */
const isEndOfText = (reader: JsonBytes): boolean =>
  reader.text.length === END_OF_TEXT.length && reader.lastString() === END_OF_TEXT;

function sortById({ pool, start }: TokenBytes, ids: Ints): TokenBytes {
  const sorted = new TokenBytesBuilder();
  for (const place of placesById(ids)) sorted.push(pool, start[place]!, start[place + 1]!);
  return sorted.build();
}

/**
 * Inverts a list of ids: the index in the list of each id.
 *
 * @throws DataError tokenizer_malformed unless the ids are 0 to n - 1, each of them once.
 */
function placesById(ids: Ints): Int32Array {
  const places = new Int32Array(ids.length).fill(-1);
  for (let i = 0; i < ids.length; i++) {
    const id = ids.data[i]!;
    if (id >= ids.length) throw malformed(`id ${id} lies outside a vocabulary of ${ids.length}`);
    if (places[id]! >= 0) throw malformed(`id ${id} occurs twice`);
    places[id] = i;
  }
  return places;
}
