/**
 * Takes out of the page what only checks and benchmarks of operations read. A record of `src/ops`
 * holds everything about its operation, but a visitor needs neither the float64 oracle nor the cases.
 */
import type { Plugin } from 'vite';

/** Members of a record that the page never reads. */
const UNREAD: readonly string[] = ['oracle', 'cases', 'bench'];

interface Member {
  start: number;
  end: number;
  name: string;
}

/** For `worker.plugins` of the page's build. */
export function withoutChecks(): Plugin {
  return {
    name: 'without-checks',
    transform: {
      filter: { id: /\/src\/ops\/.+\.ts$/u },
      handler(code) {
        const members = recordsIn(this.parse(code)).flat();
        if (members.length === 0) return null;
        return { code: withStubs(code, members), map: null };
      },
    },
  };
}

/** Replaces the members from the last to the first, so that earlier positions stay valid. */
function withStubs(code: string, members: readonly Member[]): string {
  return [...members]
    .sort((a, b) => b.start - a.start)
    .reduce((rest, { start, end, name }) => {
      return `${rest.slice(0, start)}${name}: null${rest.slice(end)}`;
    }, code);
}

/** The members to take out of each object that is a record: it has an oracle and a reference. */
function recordsIn(node: unknown): Member[][] {
  if (Array.isArray(node)) return node.flatMap(recordsIn);
  if (!isNode(node)) return [];
  const properties = node.type === 'ObjectExpression' ? membersOf(node.properties) : [];
  const names = properties.map(({ name }) => name);
  if (names.includes('oracle') && names.includes('reference'))
    return [properties.filter(({ name }) => UNREAD.includes(name))];
  return Object.values(node).flatMap(recordsIn);
}

type Node = Record<string, unknown> & { type: string };

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function membersOf(properties: unknown): Member[] {
  if (!Array.isArray(properties)) return [];
  return properties.flatMap((property: unknown) => {
    if (!isNode(property) || property.type !== 'Property' || !isNode(property.key)) return [];
    const { name } = property.key;
    const { start, end } = property;
    return typeof name === 'string' && typeof start === 'number' && typeof end === 'number'
      ? [{ name, start, end }]
      : [];
  });
}
