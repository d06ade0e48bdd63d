/** A pair, or the answers to one prompt: each a text of coloured tokens. */
import { useId } from 'react';
import type { ShownToken } from '../../../common/index.ts';
import { measure } from '../../../store/index.ts';
import {
  figuresOf,
  shadeOf,
  valueOf,
  type InspectedGroup,
  type InspectedRow,
  type Quantity,
} from '../../../store/stages/inside.ts';
import { quoted, withLineBreaks } from '../../samples/TokenText.tsx';
import { useTokenSelection, type TokenSelection } from '../../samples/useTokenSelection.ts';
import { Rewards } from './Rewards.tsx';

interface Colouring {
  quantity: Quantity;
  scale: number;
}

export function InspectedGroupView({ group, ...colouring }: Colouring & { group: InspectedGroup }) {
  const { prompt, rows, no_signal } = group;
  return (
    <li data-no-signal={no_signal || undefined}>
      {prompt.length > 0 ? (
        <p className="tokens inside-prompt">{prompt.map(({ text }) => text).join('')}</p>
      ) : null}
      {no_signal ? (
        <p className="small no-signal">
          No signal: every answer of this group has the same reward, so the step learns nothing from
          it.
        </p>
      ) : null}
      <ul>
        {rows.map(({ row, tokens }, index) => (
          <li key={index}>
            <RowHead row={row} />
            <Tokens row={row} tokens={tokens} {...colouring} />
          </li>
        ))}
      </ul>
    </li>
  );
}

function RowHead({ row: { label, rewards, advantage } }: { row: InspectedRow }) {
  return (
    <p className="small inside-row-head">
      <b>{label}</b> <Rewards rewards={rewards} />
      {advantage === undefined ? null : (
        <span className="reward" data-sign={Math.sign(advantage)} title={ADVANTAGE_HELP}>
          Advantage {signed(advantage)}
        </span>
      )}
    </p>
  );
}

const ADVANTAGE_HELP =
  'How much better the answer was than expected: above 0 the step makes it more likely, below 0 less.';

function signed(value: number): string {
  if (value === 0) return '0';
  return `${value < 0 ? '−' : '+'}${measure(Math.abs(value))}`;
}

/** Size that the panel of figures needs. */
const PANEL = { width: 230, height: 190 };

interface TokensProps extends Colouring {
  row: InspectedRow;
  tokens: readonly ShownToken[];
}

function Tokens({ row, tokens, quantity, scale }: TokensProps) {
  const id = useId();
  const { box, selection, handlers } = useTokenSelection(tokens.length, PANEL);
  const token = selection ? tokens[selection.index] : undefined;
  return (
    <div
      ref={box}
      className="tokens inside-tokens"
      tabIndex={0}
      role="group"
      aria-label={`Tokens of ${row.label}. Arrow keys move through them.`}
      aria-describedby={token ? id : undefined}
      {...handlers}
    >
      {tokens.map((one, index) => {
        const { sign, level } = shadeOf(valueOf(one, row, quantity), scale);
        return (
          <span
            key={index}
            data-index={index}
            data-sign={sign}
            data-level={level}
            data-masked={one.mask === 0 || undefined}
            data-clipped={one.clipped || undefined}
            data-on={selection?.index === index || undefined}
          >
            {withLineBreaks(one.text)}
          </span>
        );
      })}
      {selection && token ? <Figures id={id} token={token} at={selection} /> : null}
    </div>
  );
}

interface FiguresProps {
  id: string;
  token: ShownToken;
  at: TokenSelection;
}

function Figures({ id, token, at }: FiguresProps) {
  return (
    <span
      className="alternatives figures"
      id={id}
      role="status"
      style={{ left: at.left, top: at.top }}
    >
      <b className="mono">{quoted(token.text)}</b>
      {figuresOf(token).map(([name, value]) => (
        <span key={name} className="figure">
          <span>{name}</span> <b>{measureSigned(value)}</b>
        </span>
      ))}
      <span className="figure">
        <span>{notesOf(token)}</span>
      </span>
    </span>
  );
}

const measureSigned = (value: number): string =>
  value < 0 ? `−${measure(-value)}` : measure(value);

function notesOf({ mask, clipped }: ShownToken): string {
  if (mask === 0) return 'not counted by the loss';
  return clipped ? 'clipped: no gradient' : '';
}
