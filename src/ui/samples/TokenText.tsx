/**
 * Text as tokens, each tinted by its probability: the less likely, the stronger the tint.
 *
 * The text is one tab stop: arrow keys move from token to token. Hover or keyboard selection shows
 * the alternatives of a token.
 */
import {
  memo,
  useEffect,
  useId,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
} from 'react';
import { percent, type TokenPiece } from '../../store/index.ts';

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

export const TokenText = memo(function TokenText({ pieces, label, prompt = '' }: TokenTextProps) {
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const [selection, setSelection] = useState<Selection | null>(null);
  useEffect(() => {
    if (!selection) return undefined;
    const hide = (): void => setSelection(null);
    window.addEventListener('scroll', hide, { capture: true, passive: true });
    return () => window.removeEventListener('scroll', hide, { capture: true });
  }, [selection]);
  const select = (index: number): void => setSelection(locate(box.current, index) ?? selection);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') setSelection(null);
    const next = nextIndex(event.key, selection?.index, pieces.length);
    if (next === undefined) return;
    event.preventDefault();
    select(next);
  };
  const onPointerOver = ({ target }: PointerEvent): void => {
    if (target instanceof HTMLElement && target.dataset.index !== undefined)
      select(Number(target.dataset.index));
  };
  const piece = selection ? pieces[selection.index] : undefined;
  return (
    <div
      ref={box}
      className="tokens"
      tabIndex={0}
      role="group"
      aria-label={label}
      aria-describedby={piece ? id : undefined}
      onKeyDown={onKeyDown}
      onBlur={() => setSelection(null)}
      onPointerLeave={() => setSelection(null)}
      onPointerOver={onPointerOver}
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

/** A selected token, and where to show its alternatives: CSS pixels within the window. */
interface Selection {
  index: number;
  left: number;
  top: number;
}

/** Size that the panel of alternatives needs, and its distance from the token. */
const PANEL_WIDTH = 190;
const PANEL_HEIGHT = 120;
const PANEL_GAP = 4;

/** Below the token, or above it at the end of the window. */
function locate(box: HTMLElement | null, index: number): Selection | null {
  const token = box?.querySelector<HTMLElement>(`[data-index="${index}"]`);
  if (!token) return null;
  const { left, top, bottom } = token.getBoundingClientRect();
  const fitsBelow = bottom + PANEL_HEIGHT < window.innerHeight;
  return {
    index,
    left: Math.max(0, Math.min(left, document.documentElement.clientWidth - PANEL_WIDTH)),
    top: fitsBelow ? bottom + PANEL_GAP : top - PANEL_HEIGHT,
  };
}

/** The token that an arrow key selects, or undefined for other keys. */
function nextIndex(key: string, current: number | undefined, length: number): number | undefined {
  const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  if (move === undefined) return undefined;
  const start = move > 0 ? -1 : length;
  return Math.min(length - 1, Math.max(0, (current ?? start) + move));
}

/** Shows line breaks as a symbol and keeps them. */
const withLineBreaks = (text: string): string => text.replaceAll('\n', '↵\n');

/** Text with visible white space. */
export const quoted = (text: string): string =>
  text === '' ? '∅' : text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replaceAll(' ', '␣');

interface AlternativesProps {
  id: string;
  piece: TokenPiece;
  at: Selection;
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
