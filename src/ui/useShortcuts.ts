/** Keyboard shortcuts. Inactive while the user is typing or a dialog is open. */
import { useEffect } from 'react';
import { isMoving, type Client } from '../store/index.ts';
import { useRunActions, type RunActions } from './actions.ts';
import { useClient } from './context.tsx';
import { goTo, usePlace } from './place.ts';
import { focusPart } from './SkipLinks.tsx';

/** As the dialog lists them. */
export const SHORTCUTS: readonly [string, string][] = [
  ['Space', 'Pause or continue'],
  ['.', 'Take one step'],
  ['1 2 3', 'Recipe, charts, samples'],
  ['L', 'Toggle linear and log scale'],
  ['0', 'Reset zoom'],
  ['R', 'Saved runs'],
  ['?', 'Keyboard shortcuts'],
  ['← →', 'Move through the tokens of a sample'],
  ['Ctrl Enter', 'Generate from the prompt'],
];

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));

/** On these elements, Space activates the element instead of toggling the run. */
const handlesSpace = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  target.closest('button, a, [role="slider"], [role="menuitem"], summary') !== null;

const hasModifier = (event: KeyboardEvent): boolean =>
  event.ctrlKey || event.metaKey || event.altKey;

/** Keys about the charts and samples, which the places about models use for other things. */
const WORKSPACE_KEYS: ReadonlySet<string> = new Set(['0', '1', '2', '3', 'l']);

const isAtRun = (): boolean => ['welcome', 'workspace'].includes(usePlace.getState().at);

export function useShortcuts(): void {
  const client = useClient();
  const actions = useRunActions();
  useEffect(() => {
    const shortcuts = shortcutsOf(client, actions);
    const onKeyDown = (event: KeyboardEvent): void => {
      if (hasModifier(event) || isTyping(event.target) || usePlace.getState().dialog) return;
      if (event.key === ' ' && handlesSpace(event.target)) return;
      const key = event.key.toLowerCase();
      const action = shortcuts[key];
      if (!action || (WORKSPACE_KEYS.has(key) && !isAtRun())) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [client, actions]);
}

/** Actions by `KeyboardEvent.key`, in lower case. */
function shortcutsOf(client: Client, actions: RunActions): Record<string, () => void> {
  const { view, run } = client.stores;
  return {
    ' ': actions.toggle,
    '.': () => {
      const { phase } = run.getState();
      if (phase === 'paused' || isMoving(phase)) actions.step();
    },
    '?': () => goTo({ dialog: 'shortcuts' }),
    1: () => focusPart('recipe'),
    2: () => focusPart('charts'),
    3: () => focusPart('samples'),
    l: () => view.setState((state) => ({ logY: !state.logY })),
    0: () => view.setState({ zoom: null }),
    r: () => goTo({ dialog: 'library' }),
  };
}
