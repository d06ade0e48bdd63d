/** The first links of the page, visible while focused: past the bar and the recipe. */
import { goTo, usePlace, type Tab } from './place.ts';

export function SkipLinks() {
  const inWorkspace = usePlace((place) => place.at === 'workspace');
  if (!inWorkspace) return null;
  return (
    <nav className="skip-links" aria-label="Skip">
      <button type="button" onClick={() => focusPart('charts')}>
        Skip to charts
      </button>
      <button type="button" onClick={() => focusPart('samples')}>
        Skip to samples
      </button>
    </nav>
  );
}

/** Shows a part of the workspace and moves the focus to it. Before a run there is only the recipe. */
export function focusPart(tab: Tab): void {
  goTo({ at: 'workspace', tab });
  requestAnimationFrame(() => {
    const part = document.getElementById(`part-${tab}`) ?? document.getElementById('part-preview');
    part?.focus();
    part?.scrollIntoView({ block: 'nearest' });
  });
}
