/**
 * The name of a stage that the user has not named: the base model's short name and the objective,
 * "Arithmetic, GRPO". Which model it was trained from is in the tree of models.
 */
import { fieldPaths, PRESETS, rangeOf, type FieldPath } from '../../config/index.ts';
import { OBJECTIVE_LABELS, objectiveLabel, type StageConfig } from '../../config/stage/index.ts';
import type { RunRecord } from '../../protocol/index.ts';
import { CORPUS_NAMES, fieldName } from '../default_name.ts';

type Parent = Pick<RunRecord, 'name' | 'config'>;

/** `taken`: names of other runs; a second GRPO stage of the same base is "Arithmetic, GRPO 2". */
export function defaultStageName(
  parent: Parent,
  { objective, peft }: Pick<StageConfig, 'objective' | 'peft'>,
  taken: readonly string[] = [],
): string {
  const adapter = peft.peft_type === 'lora' ? ' LoRA' : '';
  const name = `${baseName(parent)}, ${objectiveLabel(objective).badge}${adapter}`;
  let candidate = name;
  for (let number = 2; taken.includes(candidate); number += 1) candidate = `${name} ${number}`;
  return candidate;
}

/**
 * The short name of the model that a chain of stages began with: without the stages and meshes that
 * default names add, and without the fields that the default name of a base model lists. A name that
 * the user typed stays whole.
 */
export function baseName({ name, config }: Parent): string {
  const parts = name.split(', ');
  const isAdded = (part: string, index: number): boolean =>
    index > 0 && (STAGE.test(part) || MESH.test(part));
  const added = parts.findIndex(isAdded);
  const own = (added < 0 ? parts : parts.slice(0, added)).join(', ');
  const plain = own.replace(NUMBER, '');
  const ofText = config.data.corpus === 'own' ? plain.split(', ').slice(0, 1) : [];
  const found = [...TITLES, ...ofText].find((title) => isListed(plain, title));
  return found ?? own;
}

/** The name of a run without the mesh that it was trained on: "Names" of "Names, DP 2, ZeRO-3". */
export function withoutMesh(name: string): string {
  const parts = name.split(', ');
  const mesh = parts.findIndex((part, index) => index > 0 && MESH.test(part));
  return mesh < 0 ? name : parts.slice(0, mesh).join(', ');
}

/** Whether a name is this title, followed by nothing but fields. */
function isListed(name: string, title: string): boolean {
  if (!name.startsWith(title)) return false;
  const [rest, ...fields] = name.slice(title.length).split(', ');
  return rest === '' && fields.every(isField);
}

/** The number that `uniqueName` adds. */
const NUMBER = / \(\d+\)$/u;

const BADGES = Object.values(OBJECTIVE_LABELS).map(({ badge }) => badge);
const STAGE = new RegExp(`^(${BADGES.join('|')})( LoRA)?( \\d+)?( \\(\\d+\\))?$`, 'u');

/** The first part of what `meshName` returns. */
const MESH = /^(one rank|(DP|TP|PP) \d+( x (TP|PP) \d+)*)( \(\d+\))?$/u;

/** Titles may contain a comma. */
const TITLES: readonly string[] = [
  ...PRESETS.map(({ title }) => title),
  ...Object.values(CORPUS_NAMES),
];

/** Whether this is how `defaultName` describes a field: "lr 0.01", "no bias", "llama", "and 5 more". */
const isField = (part: string): boolean =>
  /^and \d+ more$/u.test(part) || fieldPaths().some((path) => describes(part, path));

function describes(part: string, path: FieldPath): boolean {
  const range = rangeOf(path);
  if (range.kind === 'choice') return range.options.includes(part);
  const name = fieldName(path);
  return part === name || part === `no ${name}` || part.startsWith(`${name} `);
}
