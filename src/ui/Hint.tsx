/**
 * A small "?" that explains the thing beside it. It opens by click, touch, Enter or Space, and closes
 * on Escape or a click elsewhere; nothing depends on hovering.
 */
import type { ReactNode } from 'react';
import { Popup } from './popup/Popup.tsx';
import './styles/hint.css';

interface HintProps {
  /** What is explained; the button is called "About …". */
  about: string;
  children: ReactNode;
}

/** Width of the explanation, in CSS pixels. */
const WIDTH = 280;

export function Hint({ about, children }: HintProps) {
  return (
    <Popup
      label={`About ${about}`}
      kind="dialog"
      width={WIDTH}
      className="hint-button"
      face={<span aria-hidden>?</span>}
    >
      <div className="hint">{children}</div>
    </Popup>
  );
}
