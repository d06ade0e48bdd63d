/** Text for the scripted worker: it turns from random letters into names as the loss falls. */
import type { TokenPiece } from '../protocol/index.ts';

const NAMES = [
  ...['Marcella', 'Jorinda', 'Tobiah', 'Elswen', 'Karolin', 'Brendan'],
  ...['Odalie', 'Fenella', 'Ruvim', 'Adelin', 'Sharlene', 'Corben'],
];
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** Uniform numbers in [0, 1) from a seed (mulberry32), so that screenshots can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A token id from its text. */
export function idOf(text: string): number {
  return [...text].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 4096, 7);
}

/** A sample of `length` pieces; `skill` from 0 (random letters) to 1 (names). */
export function fakePieces(random: () => number, skill: number, length: number): TokenPiece[] {
  const pieces: TokenPiece[] = [];
  while (pieces.length < length) {
    const name = NAMES[Math.floor(random() * NAMES.length)] ?? '';
    for (const letter of `${name}\n`) {
      const right = random() < skill * 1.15;
      const text = right ? letter : randomLetter(random);
      const probability = right ? 0.15 + 0.85 * skill * random() ** 0.5 : 0.02 + 0.1 * random();
      pieces.push(fakePiece(text, probability, random));
    }
  }
  return pieces.slice(0, length);
}

function randomLetter(random: () => number): string {
  return LETTERS[Math.floor(random() * LETTERS.length)] ?? 'e';
}

function fakePiece(text: string, probability: number, random: () => number): TokenPiece {
  const rest = 1 - probability;
  const rivals = [0.5, 0.25, 0.12].map((share) => ({
    text: randomLetter(random),
    probability: rest * share,
  }));
  return { id: idOf(text), text, probability, rivals };
}
