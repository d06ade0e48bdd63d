/**
 * Renders a Jinja template of a stranger. A template is a program: it may loop without an end or
 * double a text until memory is gone. Rendering is synchronous, so nothing outside could stop it;
 * the interpreter therefore counts what it evaluates and measures what it makes.
 */
import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';

type Value = ReturnType<Interpreter['evaluate']>;
type Node = Parameters<Interpreter['evaluate']>[0];

/** Far beyond what a conversation needs: a template evaluates about 50 nodes a message. */
const MOST_NODES = 200_000;
/** Characters of a text, or characters and entries of a list with everything in it. */
const LARGEST_VALUE = 4_000_000;
const LONGEST_RANGE = 100_000;
const LONGEST_TEMPLATE = 1_000_000;
const MOST_MS = 5_000;
/** Nodes between two looks at the clock. */
const BETWEEN_LOOKS = 256;

/**
 * @returns What renders the template with the given variables.
 * @throws Error if the template cannot be read; rendering throws one if it fails or does not end.
 */
export function boundedTemplate(template: string): (items: Record<string, unknown>) => string {
  if (template.length > LONGEST_TEMPLATE)
    throw new Error(`it has more than ${LONGEST_TEMPLATE.toLocaleString('en')} characters.`);
  const program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
  return (items) => {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...GLOBALS, ...items }))
      environment.set(name, value);
    const text: unknown = new BoundedInterpreter(environment).run(program).value;
    return typeof text === 'string' ? text : '';
  };
}

class BoundedInterpreter extends Interpreter {
  #nodes = 0;
  readonly #sizes: Sizes = new WeakMap();
  readonly #end = performance.now() + MOST_MS;

  override evaluate(node: Node, environment: Environment): Value {
    this.#nodes++;
    if (this.#nodes > MOST_NODES) throw new Error('it does not come to an end.');
    if (this.#nodes % BETWEEN_LOOKS === 0 && performance.now() > this.#end)
      throw new Error(`it takes longer than ${MOST_MS / 1000} seconds.`);
    const value = super.evaluate(node, environment);
    sizeOf(value, this.#sizes, LARGEST_VALUE);
    return value;
  }
}

/** Sizes by the content of lists and objects, which do not change unless a namespace is in them. */
type Sizes = WeakMap<object, number>;

/**
 * The size of a value, in which what is contained twice counts twice.
 *
 * @throws Error if it is above `most`.
 */
function sizeOf(value: Value, sizes: Sizes, most: number): number {
  const content: unknown = value.value;
  let size = 1;
  if (typeof content === 'string') size += content.length;
  if (isContainer(content)) size = sizes.get(content) ?? sizeOfEntries(value, sizes, most);
  if (size > most) throw new Error('it makes a text or a list that is too large.');
  return size;
}

function sizeOfEntries(container: Value, sizes: Sizes, most: number): number {
  const content = container.value as Container;
  let size = 1;
  let fixed = container.type !== 'NamespaceValue';
  for (const entry of content.values()) {
    size += sizeOf(entry, sizes, most - size);
    if (isContainer(entry.value) && !sizes.has(entry.value)) fixed = false;
  }
  if (fixed) sizes.set(content, size);
  return size;
}

type Container = Value[] | Map<string, Value>;

const isContainer = (content: unknown): content is Container =>
  Array.isArray(content) || content instanceof Map;

/** What transformers gives to a chat template. */
const GLOBALS = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  raise_exception(message: string): never {
    throw new Error(message);
  },
  range,
  strftime_now: (format: string) => strftime(new Date(), format),
};

/** Python's range. */
function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= LONGEST_RANGE))
    throw new Error(`it counts further than ${LONGEST_RANGE.toLocaleString('en')}.`);
  return Array.from({ length: count }, (_, index) => start + index * step);
}

/** Python's strftime, as far as chat templates use it, in English. */
function strftime(date: Date, format: string): string {
  const part = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-US', options).format(date);
  const digits = (value: number) => String(value).padStart(2, '0');
  const parts: Readonly<Record<string, () => string>> = {
    '%Y': () => String(date.getFullYear()),
    '%m': () => digits(date.getMonth() + 1),
    '%d': () => digits(date.getDate()),
    '%b': () => part({ month: 'short' }),
    '%B': () => part({ month: 'long' }),
    '%a': () => part({ weekday: 'short' }),
    '%A': () => part({ weekday: 'long' }),
    '%H': () => digits(date.getHours()),
    '%M': () => digits(date.getMinutes()),
    '%S': () => digits(date.getSeconds()),
    '%%': () => '%',
  };
  return format.replace(/%./g, (directive) => parts[directive]?.() ?? directive);
}
