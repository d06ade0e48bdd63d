/**
 * Lessons: a link with `lesson=1` locks the recipe except for the fields that it names
 * (config/address.ts).
 */
import { encodeConfig, type FieldPath } from '../../config/index.ts';
import type { Client } from '../../store/index.ts';
import { useForm } from '../context.tsx';

interface Lesson {
  /** The page shows a lesson. */
  active: boolean;
  /** Whether a field may be changed: any field, unless the page shows a lesson. */
  isOpen: (path: FieldPath) => boolean;
}

export function useLesson(): Lesson {
  const open = useForm((state) => state.lesson);
  return { active: open !== null, isOpen: (path) => open === null || open.has(path) };
}

/** Unlocks the recipe, and removes the lesson from the address. */
export function leaveLesson(client: Client): void {
  const { form } = client.stores;
  form.setState({ lesson: null });
  history.replaceState(
    history.state,
    '',
    location.pathname + encodeConfig(form.getState().config) + location.hash,
  );
}
