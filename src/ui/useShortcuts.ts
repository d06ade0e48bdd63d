/** Space pauses, . steps, ? lists; none while the person types or a dialog is open. */
import { useEffect } from 'react';
import { isMoving } from '../store/index.ts';
import { useActs } from './acts.ts';
import { useClient } from './context.tsx';
import { goTo, usePlace } from './place.ts';

/** As the dialog lists them. */
export const SHORTCUTS: readonly [string, string][] = [
  ['Space', 'Pause, and go on'],
  ['.', 'One step'],
  ['1 2 3', 'Recipe, charts, samples'],
  ['L', 'Loss on a linear or log scale'],
  ['0', 'Show the whole run'],
  ['R', 'Saved runs'],
  ['?', 'This list'],
  ['← →', 'Walk through the tokens of a sample'],
  ['Ctrl Enter', 'Write from the prompt'],
];

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
/** Space on a button presses the button. */
const isPressable = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  target.closest('button, a, [role="slider"], [role="menuitem"], summary') !== null;

export function useShortcuts(): void {
  const client = useClient();
  const acts = useActs();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        isTyping(event.target) ||
        usePlace.getState().dialog
      )
        return;
      const { view, run } = client.stores;
      const act: Record<string, () => void> = {
        '.': () => {
          const { phase } = run.getState();
          if (phase === 'paused' || isMoving(phase)) acts.step();
        },
        '?': () => goTo({ dialog: 'shortcuts' }),
        1: () => focusPart('recipe'),
        2: () => focusPart('charts'),
        3: () => focusPart('samples'),
        l: () => view.setState((state) => ({ logY: !state.logY })),
        0: () => view.setState({ zoom: null }),
        r: () => goTo({ dialog: 'library' }),
        ...(isPressable(event.target) ? {} : { ' ': acts.toggle }),
      };
      const chosen = act[event.key.toLowerCase()];
      if (!chosen) return;
      event.preventDefault();
      chosen();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [client, acts]);
}

function focusPart(tab: 'recipe' | 'charts' | 'samples'): void {
  goTo({ at: 'room', tab });
  requestAnimationFrame(() => document.getElementById(`part-${tab}`)?.focus());
}
