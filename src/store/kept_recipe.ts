/** The recipe that this browser carried out last, for a page that was closed before its end. */
import * as v from 'valibot';
import type { RecipeMember } from './recipe_state.ts';

const KEY = 'terrarium-chain';

const KeptSchema = v.object({
  name: v.string(),
  /** What `parseRecipe` reads. */
  source: v.unknown(),
  members: v.array(
    v.object({
      id: v.string(),
      name: v.string(),
      run: v.nullable(v.string()),
      status: v.picklist(['waiting', 'training', 'done', 'failed', 'stopped']),
    }),
  ),
});

export type KeptRecipe = v.InferOutput<typeof KeptSchema>;
export type KeptMember = KeptRecipe['members'][number];

/** The result of `action`, or null where the browser refuses storage. */
function tried<T>(action: () => T): T | null {
  try {
    return action();
  } catch {
    return null;
  }
}

/** Replaces the recipe that was kept before. Nothing is kept where the browser refuses storage. */
export function keepRecipe(name: string, source: unknown, members: readonly RecipeMember[]): void {
  const kept: KeptRecipe = {
    name,
    source,
    members: members.map(({ id, name: member, run, status }) => ({
      id,
      name: member,
      run,
      status,
    })),
  };
  tried(() => localStorage.setItem(KEY, JSON.stringify(kept)));
}

/** Afterwards no recipe is kept. */
export function forgetRecipe(): void {
  tried(() => localStorage.removeItem(KEY));
}

/** Null if none was kept, or one of a version that cannot be read. */
export function keptRecipe(): KeptRecipe | null {
  const value: unknown = tried(() => JSON.parse(localStorage.getItem(KEY) ?? 'null') as unknown);
  const result = v.safeParse(KeptSchema, value);
  return result.success ? result.output : null;
}

/** Its last stage that was started: those before it are over, and those after it wait. */
export const lastStarted = ({ members }: KeptRecipe): KeptMember | undefined =>
  members.findLast(({ run }) => run !== null);
