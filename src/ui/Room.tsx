/** Recipe, charts and samples: three columns, or three tabs on a narrow screen. */
import { Recipe } from './recipe/Recipe.tsx';
import { Samples } from './samples/Samples.tsx';
import { LazyCharts } from './charts/LazyCharts.tsx';
import { goTo, usePlace, type Tab } from './place.ts';

const TABS: { tab: Tab; title: string }[] = [
  { tab: 'recipe', title: 'Recipe' },
  { tab: 'charts', title: 'Charts' },
  { tab: 'samples', title: 'Samples' },
];

export function Room() {
  const tab = usePlace((place) => place.tab);
  return (
    <>
      <div className="tabs" role="tablist" aria-label="Parts of the room">
        {TABS.map((one) => (
          <button
            key={one.tab}
            type="button"
            role="tab"
            aria-selected={tab === one.tab}
            aria-controls={`part-${one.tab}`}
            onClick={() => goTo({ tab: one.tab })}
          >
            {one.title}
          </button>
        ))}
      </div>
      <main className="room">
        <section
          id="part-recipe"
          className="room-recipe"
          aria-label="Recipe"
          data-hidden={tab !== 'recipe' || undefined}
          tabIndex={-1}
        >
          <Recipe />
        </section>
        <section
          id="part-charts"
          className="room-charts"
          aria-label="Charts"
          data-hidden={tab !== 'charts' || undefined}
          tabIndex={-1}
        >
          <LazyCharts />
        </section>
        <section
          id="part-samples"
          className="room-samples"
          aria-label="Samples"
          data-hidden={tab !== 'samples' || undefined}
          tabIndex={-1}
        >
          <Samples />
        </section>
      </main>
    </>
  );
}
