/** The hint of one option: what it is for, where it comes from, its range and its default. */
import { labelOf, rangeOf, type FieldPath } from '../../config/index.ts';
import { FieldKey } from '../FieldKey.tsx';
import { Hint } from '../Hint.tsx';
import { rangeText, valueText } from './value_text.ts';

export function FieldHint({ path }: { path: FieldPath }) {
  const { name, field, does, help, source, unit } = labelOf(path);
  const range = rangeText(path);
  const initial = rangeOf(path).default;
  return (
    <Hint about={name}>
      <h3>
        {name} <FieldKey name={field} />
      </h3>
      <p>{does}</p>
      {help ? <p>{help}</p> : null}
      <dl>
        {range ? (
          <>
            <dt>Range</dt>
            <dd>{unit ? `${range} ${unit}` : range}</dd>
          </>
        ) : null}
        <dt>Default</dt>
        <dd>{valueText(path, initial)}</dd>
        <dt>Source</dt>
        <dd>{source}</dd>
      </dl>
    </Hint>
  );
}
