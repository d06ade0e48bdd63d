/** A formula as MathML, made from TeX by temml, which is downloaded when the first one is shown. */
import { useEffect, useState } from 'react';

interface FormulaProps {
  tex: string;
  /** A formula on a line of its own. */
  display?: boolean;
}

/** Shows the TeX until temml is there, and if it does not come. */
export function Formula({ tex, display = false }: FormulaProps) {
  const [mathml, setMathml] = useState<string | null>(null);
  useEffect(() => {
    let mounted = true;
    void render(tex, display).then((markup) => {
      if (mounted) setMathml(markup);
    });
    return () => {
      mounted = false;
    };
  }, [tex, display]);
  const kind = display ? 'display' : 'inline';
  if (mathml === null)
    return (
      <code className="formula" data-kind={kind}>
        {tex}
      </code>
    );
  // The markup comes from formulas of our own, never from a person.
  return <span className="formula" data-kind={kind} dangerouslySetInnerHTML={{ __html: mathml }} />;
}

async function render(tex: string, displayMode: boolean): Promise<string | null> {
  try {
    const { default: temml } = await import('temml');
    return temml.renderToString(tex, { displayMode, throwOnError: true, annotate: true });
  } catch (error) {
    console.warn('A formula is shown as TeX.', error);
    return null;
  }
}
