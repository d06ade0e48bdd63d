/**
 * The recipe and the training run: two columns, or two tabs in a narrow window. Before there is a
 * run, the recipe has most of the room; beside a run it shrinks to a summary.
 */
import { useEffect, useRef } from 'react';
import { LessonRecipe } from './lesson/LessonRecipe.tsx';
import { useLesson } from './lesson/useLesson.ts';
import { Recipe } from './recipe/Recipe.tsx';
import { RecipeSummary } from './recipe/RecipeSummary.tsx';
import { Preview } from './train/Preview.tsx';
import { Train } from './train/Train.tsx';
import { useRun } from './context.tsx';
import { goTo, usePlace } from './place.ts';
import { lazyPart, Part } from './states/Part.tsx';
import { useNarrow } from './useNarrow.ts';

type Column = 'recipe' | 'training';

const TABS: { column: Column; title: string }[] = [
  { column: 'recipe', title: 'Recipe' },
  { column: 'training', title: 'Training' },
];

export function Workspace() {
  const hasRun = useRun((state) => state.run !== null || state.opening);
  const recipeOpen = usePlace((place) => place.recipeOpen);
  const selected = usePlace((place): Column => (place.tab === 'recipe' ? 'recipe' : 'training'));
  const narrow = useNarrow();
  useRecipeClosesAtStart();
  const lesson = useLesson().active;
  const summarized = hasRun && !recipeOpen && !narrow;
  return (
    <>
      <Tabs selected={selected} />
      <main className="workspace" data-recipe={recipeWidth(hasRun, summarized)}>
        <section
          id="part-recipe"
          className="workspace-recipe"
          aria-label="Recipe"
          data-hidden={selected !== 'recipe' || undefined}
          tabIndex={-1}
        >
          <Part title="The recipe">
            {lesson ? (
              <LessonRecipe />
            ) : (
              <RecipePart summarized={summarized} closable={hasRun && !narrow} />
            )}
          </Part>
        </section>
        <section
          className="workspace-training"
          aria-label="Training"
          data-hidden={selected !== 'training' || undefined}
        >
          <Part title="The training">{hasRun ? <Train /> : <Preview />}</Part>
        </section>
      </main>
    </>
  );
}

const { Lazy: StageSummary } = lazyPart(() => import('./stages/train/StageSummary.tsx'));

interface RecipePartProps {
  summarized: boolean;
  closable: boolean;
}

/** The recipe, or a summary of it. A stage has settings of its own, and no recipe of a base model. */
function RecipePart({ summarized, closable }: RecipePartProps) {
  const isStage = useRun((state) => state.stage !== null && state.run !== null);
  const narrow = useNarrow();
  if (isStage && (summarized || narrow)) return <StageSummary title="The stage" props={{}} />;
  return summarized ? <RecipeSummary /> : <FullRecipe closable={closable} />;
}

function recipeWidth(hasRun: boolean, summarized: boolean): 'room' | 'summary' | 'open' {
  if (summarized) return 'summary';
  return hasRun ? 'open' : 'room';
}

/** A recipe that was open to be edited gives its room to the run that starts. */
function useRecipeClosesAtStart(): void {
  const pressed = useRun((state) => state.pressed);
  const last = useRef(pressed);
  useEffect(() => {
    if (Object.is(last.current, pressed)) return;
    last.current = pressed;
    goTo({ tab: 'charts' });
  }, [pressed]);
}

function Tabs({ selected }: { selected: Column }) {
  return (
    <div className="tabs" role="tablist" aria-label="Workspace">
      {TABS.map(({ column, title }) => (
        <button
          key={column}
          type="button"
          role="tab"
          aria-selected={column === selected}
          onClick={() => goTo({ tab: column === 'recipe' ? 'recipe' : 'charts' })}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

function FullRecipe({ closable }: { closable: boolean }) {
  return (
    <>
      {closable ? (
        <button
          type="button"
          className="link recipe-close"
          onClick={() => goTo({ recipeOpen: false })}
        >
          Close the recipe
        </button>
      ) : null}
      <Recipe />
    </>
  );
}
