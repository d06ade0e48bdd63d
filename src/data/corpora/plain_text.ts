/**
 * Documents of a plain text. A list (many short lines, no blank line) has one a line. Anything else
 * is one running text, cut into blocks of about BLOCK characters that together are the text, to the
 * character.
 *
 * Where a block ends depends on its last paragraph alone (a hash of it), not on how far into the
 * text it is: a passage that occurs twice gives equal blocks, and duplicate removal finds them.
 */
import type { Corpus } from '../types.ts';

const BLOCK = 2000;
/** A block is closed at this length whatever its paragraphs say. */
const MAX_BLOCK = 4 * BLOCK;

export function plainTextDocuments(
  text: string,
): Pick<Corpus, 'documents' | 'separator' | 'continuous'> {
  const lines = text.split('\n');
  return isList(lines)
    ? { documents: lines.map((line) => line.trim()), separator: '\n', continuous: false }
    : { documents: blocks(text), separator: '', continuous: true };
}

/**
 * Names, words, sums: at least 20 lines, half of them up to 40 characters, none blank or beyond
 * 200.
 */
function isList(lines: string[]): boolean {
  const filled = lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  if (filled.length < 20 || filled.some((line) => line.trim() === '' || line.length > 200))
    return false;
  const short = filled.filter((line) => line.length <= 40).length;
  return short * 2 >= filled.length;
}

function blocks(text: string): string[] {
  const pieces = cut(text);
  const every = Math.max(1, Math.round(BLOCK / (text.length / pieces.length)));
  const documents: string[] = [];
  let block = '';
  for (const piece of pieces) {
    if (block.length + piece.length > MAX_BLOCK && block !== '') {
      documents.push(block);
      block = '';
    }
    block += piece;
    if (hash(piece) % every === 0) {
      documents.push(block);
      block = '';
    }
  }
  if (block !== '') documents.push(block);
  return documents;
}

/**
 * Paragraphs where there are blank lines, else lines, else words, each with the white space after
 * it; none beyond MAX_BLOCK.
 */
function cut(text: string): string[] {
  // Without white space at its end both tests take one pass.
  const trimmed = text.trimEnd();
  const unit = /\n[^\S\n]*\n\s*\S/.test(trimmed)
    ? /[^\n]+(?:\n(?![^\S\n]*\n)[^\n]*)*\s*|\s+/g
    : /\n\s*\S/.test(trimmed)
      ? /[^\n]*\n|[^\n]+/g
      : /\S+\s*|\s+/g;
  return (text.match(unit) ?? []).flatMap((piece) => {
    const parts: string[] = [];
    for (let at = 0; at < piece.length;) {
      let end = Math.min(piece.length, at + MAX_BLOCK);
      // Never between the two halves of a surrogate pair.
      if (end < piece.length && /[\udc00-\udfff]/.test(piece.charAt(end))) end--;
      parts.push(piece.slice(at, end));
      at = end;
    }
    return parts;
  });
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}
