/** Recipe, charts and samples: three columns, or three tabs in a narrow window. */
import type { ReactNode } from 'react';
import { Recipe } from './recipe/Recipe.tsx';
import { Samples } from './samples/Samples.tsx';
import { LazyCharts } from './charts/LazyCharts.tsx';
import { goTo, usePlace, type Tab } from './place.ts';

const PARTS: { tab: Tab; title: string }[] = [
  { tab: 'recipe', title: 'Recipe' },
  { tab: 'charts', title: 'Charts' },
  { tab: 'samples', title: 'Samples' },
];

export function Workspace() {
  const selected = usePlace((place) => place.tab);
  return (
    <>
      <div className="tabs" role="tablist" aria-label="Workspace">
        {PARTS.map(({ tab, title }) => (
          <button
            key={tab}
            type="button"
            role="tab"
            aria-selected={tab === selected}
            aria-controls={`part-${tab}`}
            onClick={() => goTo({ tab })}
          >
            {title}
          </button>
        ))}
      </div>
      <main className="workspace">
        {PARTS.map(({ tab, title }) => (
          <section
            key={tab}
            id={`part-${tab}`}
            className={`workspace-${tab}`}
            aria-label={title}
            data-hidden={tab !== selected || undefined}
            tabIndex={-1}
          >
            {CONTENT[tab]}
          </section>
        ))}
      </main>
    </>
  );
}

const CONTENT: Record<Tab, ReactNode> = {
  recipe: <Recipe />,
  charts: <LazyCharts />,
  samples: <Samples />,
};
