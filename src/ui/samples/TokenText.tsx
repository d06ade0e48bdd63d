/**
 * Text as tokens, each tinted by its probability: the less likely, the stronger the tint.
 *
 * The text is one tab stop: arrow keys move from token to token. Hover or keyboard selection shows
 * the alternatives of a token.
 */
import { memo, useId } from 'react';
import { percent, type TokenPiece } from '../../store/index.ts';
import { useTokenSelection, type TokenSelection } from './useTokenSelection.ts';

/** Bits of surprisal per tint. */
const BITS_PER_TINT = 1.3;

/** A tint from 0 (expected) to 5 (nearly impossible). */
const tintOf = (probability: number): number => {
  const surprisal = -Math.log2(Math.max(probability, 1e-6));
  return Math.min(5, Math.floor(surprisal / BITS_PER_TINT));
};

interface TokenTextProps {
  pieces: readonly TokenPiece[];
  label: string;
  prompt?: string;
}

/** Size that the panel of alternatives needs. */
const PANEL = { width: 190, height: 120 };

export const TokenText = memo(function TokenText({ pieces, label, prompt = '' }: TokenTextProps) {
  const id = useId();
  const { box, selection, handlers } = useTokenSelection(pieces.length, PANEL);
  const piece = selection ? pieces[selection.index] : undefined;
  return (
    <div
      ref={box}
      className="tokens"
      tabIndex={0}
      role="group"
      aria-label={label}
      aria-describedby={piece ? id : undefined}
      {...handlers}
    >
      {prompt ? <span className="prompt">{prompt}</span> : null}
      {pieces.map((one, index) => (
        <span
          key={index}
          data-index={index}
          data-tint={tintOf(one.probability)}
          data-on={selection?.index === index || undefined}
        >
          {withLineBreaks(one.text)}
        </span>
      ))}
      {selection && piece ? <Alternatives id={id} piece={piece} at={selection} /> : null}
    </div>
  );
});

/** Shows line breaks as a symbol and keeps them. */
export const withLineBreaks = (text: string): string => text.replaceAll('\n', '↵\n');

/** Text with visible white space. */
export const quoted = (text: string): string =>
  text === '' ? '∅' : text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replaceAll(' ', '␣');

interface AlternativesProps {
  id: string;
  piece: TokenPiece;
  at: TokenSelection;
}

/** The generated token and the most likely others, with their probabilities. */
function Alternatives({ id, piece, at }: AlternativesProps) {
  return (
    <span className="alternatives" id={id} role="status" style={{ left: at.left, top: at.top }}>
      <Alternative text={piece.text} probability={piece.probability} chosen />
      {piece.rivals.map((rival, index) => (
        <Alternative key={index} text={rival.text} probability={rival.probability} />
      ))}
    </span>
  );
}

interface AlternativeProps {
  text: string;
  probability: number;
  chosen?: boolean;
}

/** Width of the bar of a certain token, in CSS pixels. */
const FULL_BAR = 72;

function Alternative({ text, probability, chosen = false }: AlternativeProps) {
  return (
    <span className="alternative" data-chosen={chosen || undefined}>
      <span className="mono">{quoted(text)}</span>
      <i style={{ width: `${Math.max(1, probability * FULL_BAR)}px` }} />
      <b>{percent(probability, probability < 0.1 ? 1 : 0)}</b>
    </span>
  );
}
