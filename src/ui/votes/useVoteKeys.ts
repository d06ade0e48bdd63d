/** Keys of the votes: 1 and 2 choose, 0 is neither, u and Backspace take the last vote back. */
import { useEffect } from 'react';
import type { Voting } from '../../store/stages/votes.ts';
import { usePlace } from '../place.ts';

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));

export function useVoteKeys(voting: Voting): void {
  useEffect(() => {
    const actions: Readonly<Record<string, () => Promise<void>>> = {
      1: () => voting.choose(0),
      2: () => voting.choose(1),
      0: () => voting.choose(null),
      u: () => voting.undo(),
      backspace: () => voting.undo(),
    };
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (isTyping(event.target) || usePlace.getState().dialog) return;
      const action = actions[event.key.toLowerCase()];
      if (!action) return;
      event.preventDefault();
      void action();
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, [voting]);
}
