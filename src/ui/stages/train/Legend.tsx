/** What the colours of a quantity mean, with the value at the strongest one. */
import { measure } from '../../../store/index.ts';
import { QUANTITIES, type Quantity } from '../../../store/stages/inside.ts';

const LEVELS = [1, 2, 3, 4, 5];

export function Legend({ quantity, scale }: { quantity: Quantity; scale: number }) {
  if (quantity === 'mask')
    return (
      <span className="inside-legend small muted">
        <i data-sign={1} data-level={3} /> counted
      </span>
    );
  const { diverging } = QUANTITIES[quantity];
  // All values are equal: there is nothing to colour.
  if (scale === 0) return null;
  const most = quantity === 'ratio' ? Math.exp(scale) : scale;
  const least = quantity === 'ratio' ? measure(1 / most) : `−${measure(scale)}`;
  const middle = quantity === 'ratio' ? '1' : '0';
  return (
    <span className="inside-legend small muted" role="img" aria-label={`From ${least} to ${most}`}>
      {diverging || quantity === 'logp' ? (
        <>
          {least} <Blocks sign={-1} levels={[...LEVELS].reverse()} />
        </>
      ) : null}
      {middle}
      {diverging ? (
        <>
          <Blocks sign={1} levels={LEVELS} /> {measure(most)}
        </>
      ) : null}
    </span>
  );
}

const Blocks = ({ sign, levels }: { sign: 1 | -1; levels: readonly number[] }) =>
  levels.map((level) => <i key={level} data-sign={sign} data-level={level} />);
