/** Whether the window is too narrow for columns; the styles use the same width. */
import { useSyncExternalStore } from 'react';

const narrow = window.matchMedia('(max-width: 900px)');

function subscribe(onChange: () => void): () => void {
  narrow.addEventListener('change', onChange);
  return () => narrow.removeEventListener('change', onChange);
}

export const useNarrow = (): boolean => useSyncExternalStore(subscribe, () => narrow.matches);
