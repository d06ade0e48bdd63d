/**
 * What a step did to each token, as colours: which quantities there are, how large they get, and how
 * strong the colour of a token is.
 */
import type { ShownStep, ShownToken } from '../../common/index.ts';

export type Quantity = 'mask' | 'advantage' | 'ratio' | 'kl' | 'logp' | 'value' | 'reward';
export type InspectedRow = ShownStep['rows'][number];

/** In the order of the choice. `diverging` quantities have two colours, one for each sign. */
export const QUANTITIES: Readonly<
  Record<Quantity, { name: string; help: string; diverging: boolean }>
> = {
  mask: {
    name: 'Counted',
    help: 'Tokens that the loss counts. The others are there only to be read.',
    diverging: false,
  },
  advantage: {
    name: 'Advantage',
    help: 'Blue tokens are made more likely by the step, orange ones less likely.',
    diverging: true,
  },
  ratio: {
    name: 'Ratio',
    help:
      'How much more (blue) or less (orange) likely a token is now than when it was sampled. A ' +
      'framed token was clipped: it has moved far enough, and its gradient is cut.',
    diverging: true,
  },
  kl: {
    name: 'KL',
    help: 'How far the model has moved from the reference at this token.',
    diverging: true,
  },
  logp: {
    name: 'Log-probability',
    help: 'The stronger the colour, the less the model expected the token.',
    diverging: false,
  },
  value: {
    name: 'Value',
    help: 'The score that the value model expected at this token.',
    diverging: true,
  },
  reward: {
    name: 'Reward',
    help: 'Reward of the token: the price of the KL, and at the last token the score.',
    diverging: true,
  },
};

const ORDER = ['advantage', 'ratio', 'kl', 'reward', 'value', 'logp', 'mask'] as const;

/** The value of a token, or undefined if the objective has none there. */
export function valueOf(
  token: ShownToken,
  row: InspectedRow,
  quantity: Quantity,
): number | undefined {
  const counts = token.mask === 1;
  switch (quantity) {
    case 'mask':
      return token.mask;
    case 'advantage':
      return counts ? (token.advantage ?? row.advantage) : undefined;
    case 'ratio':
      return token.ratio === undefined ? undefined : Math.log(token.ratio);
    case 'kl':
    case 'value':
    case 'reward':
    case 'logp':
      return counts ? token[quantity] : undefined;
    default:
      return quantity satisfies never;
  }
}

/** Quantities that some token of the step has. */
export function quantitiesOf(step: ShownStep): Quantity[] {
  return ORDER.filter((quantity) =>
    step.rows.some((row) =>
      row.tokens.some((token) => valueOf(token, row, quantity) !== undefined),
    ),
  );
}

/** The size that gets the strongest colour: the largest of the step. */
export function scaleOf(step: ShownStep, quantity: Quantity): number {
  let largest = 0;
  for (const row of step.rows)
    for (const token of row.tokens) {
      const value = valueOf(token, row, quantity);
      if (value !== undefined && Number.isFinite(value))
        largest = Math.max(largest, Math.abs(value));
    }
  return largest;
}

export interface Shade {
  sign: -1 | 0 | 1;
  /** 0 (no colour) to 5. */
  level: number;
}

const NONE: Shade = { sign: 0, level: 0 };
/** Shares of the scale below this have no colour. */
const FAINTEST = 0.02;

/** The colour of a value, or none where there is no value or it is about 0. */
export function shadeOf(value: number | undefined, scale: number): Shade {
  if (value === undefined || !Number.isFinite(value) || scale === 0) return NONE;
  const share = Math.min(1, Math.abs(value) / scale);
  if (share < FAINTEST) return NONE;
  return { sign: value > 0 ? 1 : -1, level: Math.max(1, Math.ceil(5 * share)) };
}

/** Rows that belong together: a pair, or the answers to one prompt. */
export interface InspectedGroup {
  group: number;
  /** The tokens before the answers, which the rows share. */
  prompt: readonly ShownToken[];
  rows: readonly { row: InspectedRow; tokens: readonly ShownToken[] }[];
  no_signal: boolean;
}

export function groupsOf(step: ShownStep): InspectedGroup[] {
  const groups = new Map<number, InspectedRow[]>();
  for (const row of step.rows) groups.set(row.group, [...(groups.get(row.group) ?? []), row]);
  return [...groups].map(([group, rows]) => {
    const shared = sharedPrompt(rows);
    return {
      group,
      prompt: rows[0]?.tokens.slice(0, shared) ?? [],
      rows: rows.map((row) => ({ row, tokens: row.tokens.slice(shared) })),
      no_signal: rows.every(({ no_signal }) => no_signal === true),
    };
  });
}

/** Tokens at the start of all rows that are the same and that no loss counts. */
function sharedPrompt(rows: readonly InspectedRow[]): number {
  const [first] = rows;
  if (!first) return 0;
  const end = first.tokens.findIndex(
    ({ id, mask }, index) =>
      mask !== 0 ||
      rows.some(({ tokens }) => tokens[index]?.id !== id || tokens[index]?.mask !== 0),
  );
  return end < 0 ? first.tokens.length : end;
}

/** The figures of a token as lines of a panel: names and numbers. */
export function figuresOf(token: ShownToken): [string, number][] {
  const lines: [string, number | undefined][] = [
    ['log-probability', token.logp],
    ['when sampled', token.old_logp],
    ['reference', token.ref_logp],
    ['ratio', token.ratio],
    ['KL', token.kl],
    ['advantage', token.advantage],
    ['value', token.value],
    ['return', token.return],
    ['reward', token.reward],
  ];
  return lines.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}
