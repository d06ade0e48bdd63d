/** The key of a field in the configuration, in grey monospace; a narrow column breaks it at "_". */
import { Fragment } from 'react';

export function FieldKey({ name }: { name: string }) {
  return (
    <code className="field-key">
      {name.split('_').map((part, index) => (
        <Fragment key={index}>
          {index > 0 ? (
            <>
              _<wbr />
            </>
          ) : null}
          {part}
        </Fragment>
      ))}
    </code>
  );
}
