/** The classroom of this page: made when the place is first shown, and kept when it is left. */
import { useStore } from 'zustand';
import type { Client } from '../../store/index.ts';
import { Classroom, type RoomState } from '../../store/pool/index.ts';
import { useClient } from '../context.tsx';

const classrooms = new WeakMap<Client, Classroom>();

export function useClassroom(): Classroom {
  const client = useClient();
  const known = classrooms.get(client);
  if (known) return known;
  const made = new Classroom(client, buildOfPage(), pageAddress);
  classrooms.set(client, made);
  return made;
}

export const useRoom = <T>(select: (state: RoomState) => T): T =>
  useStore(useClassroom().store, select);

/** The name of the page's script, which has a hash of its content. */
function buildOfPage(): string {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"][src]');
  return script ? (new URL(script.src).pathname.split('/').at(-1) ?? '') : 'development';
}

/** The folder of the page, without query and fragment. */
const pageAddress = (): URL => new URL('.', location.href);
