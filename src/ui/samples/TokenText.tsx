/**
 * Text as its tokens, each tinted by its probability: the less expected, the stronger.
 *
 * One focus stop for the whole text: arrow keys walk from token to token, and pointer or keyboard
 * show a token's rivals.
 */
import { memo, useId, useRef, useState, type KeyboardEvent } from 'react';
import { percent, type TokenPiece } from '../../store/index.ts';

/** Six tints: 5 is a token that the model held for nearly impossible. */
export const tintOf = (probability: number): number => {
  const surprise = -Math.log2(Math.max(probability, 1e-6));
  return Math.min(5, Math.floor(surprise / 1.3));
};

interface Shown {
  index: number;
  left: number;
  top: number;
}

export const TokenText = memo(function TokenText({
  pieces,
  label,
  prompt = '',
}: {
  pieces: readonly TokenPiece[];
  label: string;
  prompt?: string;
}) {
  const [shown, setShown] = useState<Shown | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const id = useId();

  const show = (index: number): void => {
    const token = box.current?.querySelector<HTMLElement>(`[data-i="${index}"]`);
    if (!token || !box.current) return;
    const left = Math.min(token.offsetLeft, Math.max(0, box.current.clientWidth - 190));
    setShown({ index, left, top: token.offsetTop + token.offsetHeight + 4 });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') setShown(null);
    if (move === undefined) return;
    event.preventDefault();
    show(
      Math.min(
        pieces.length - 1,
        Math.max(0, (shown?.index ?? (move > 0 ? -1 : pieces.length)) + move),
      ),
    );
  };
  const piece = shown ? pieces[shown.index] : undefined;
  return (
    <div
      ref={box}
      className="tokens"
      tabIndex={0}
      role="group"
      aria-label={label}
      aria-describedby={piece ? id : undefined}
      onKeyDown={onKeyDown}
      onBlur={() => setShown(null)}
      onPointerLeave={() => setShown(null)}
      onPointerOver={(event) => {
        if (event.target instanceof HTMLElement && event.target.dataset.i !== undefined)
          show(Number(event.target.dataset.i));
      }}
    >
      {prompt ? <span className="prompt">{prompt}</span> : null}
      {pieces.map((one, index) => (
        <span
          key={index}
          data-i={index}
          data-tint={tintOf(one.probability)}
          data-on={shown?.index === index || undefined}
        >
          {visible(one.text)}
        </span>
      ))}
      {shown && piece ? (
        <span className="rivals" id={id} role="status" style={{ left: shown.left, top: shown.top }}>
          <Rival text={piece.text} probability={piece.probability} chosen />
          {piece.rivals.map((rival, index) => (
            <Rival key={index} text={rival.text} probability={rival.probability} />
          ))}
        </span>
      ) : null}
    </div>
  );
});

/** A line break is drawn and made. */
const visible = (text: string): string => text.replaceAll('\n', '↵\n');

/** White space that could not be seen in a list. */
export const quoted = (text: string): string =>
  text === '' ? '∅' : text.replaceAll('\n', '↵').replaceAll('\t', '⇥').replaceAll(' ', '␣');

function Rival({
  text,
  probability,
  chosen = false,
}: {
  text: string;
  probability: number;
  chosen?: boolean;
}) {
  return (
    <span className="rival" data-chosen={chosen || undefined}>
      <span className="mono">{quoted(text)}</span>
      <i style={{ width: `${Math.max(1, probability * 72)}px` }} />
      <b>{percent(probability, probability < 0.1 ? 1 : 0)}</b>
    </span>
  );
}
