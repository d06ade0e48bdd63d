/**
 * samples.jsonl: what the run has written, one sample a line. Tokens are tuples, because a sample has
 * many. Other lines, such as one that was cut short when the tab closed, are skipped.
 */
import * as v from 'valibot';
import type { Sample, TokenPiece } from '../common/index.ts';
import { isRecord } from './json.ts';

/** Most bytes of the samples of one run. */
export const MAX_SAMPLE_BYTES = 4 * 2 ** 20;
/** Files with more bytes than this are not read; the run then opens without its samples. */
export const MAX_SAMPLES_FILE = 4 * MAX_SAMPLE_BYTES;
/** Most characters of a line; longer ones are skipped. */
const MAX_LINE = MAX_SAMPLE_BYTES;
const MAX_TEXT = 20_000;

const text = v.pipe(v.string(), v.maxLength(MAX_TEXT));
const step = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const probability = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const rivals = v.pipe(v.array(v.tuple([text, probability])), v.maxLength(64));

const SampleLine = v.object({
  step,
  prompt: text,
  memorized: v.boolean(),
  problem: v.optional(text),
  /** Id, text, probability and rivals of each token. */
  tokens: v.pipe(v.array(v.tuple([step, text, probability, rivals])), v.maxLength(10_000)),
});
type SampleLine = v.InferOutput<typeof SampleLine>;
type TokenTuple = SampleLine['tokens'][number];

/** A line of the file with the step that it belongs to. */
export interface StoredLine {
  step: number;
  /** Without a line break. */
  line: string;
}

/** Probabilities are shown as percentages; four digits are enough. */
const rounded = (value: number): number => Number(value.toPrecision(4));

export function sampleLine({ tokens, ...sample }: Sample): StoredLine {
  const tuples = tokens.map((token): TokenTuple => [
    token.id,
    token.text,
    rounded(token.probability),
    token.rivals.map((rival): [string, number] => [rival.text, rounded(rival.probability)]),
  ]);
  return { step: sample.step, line: JSON.stringify({ ...sample, tokens: tuples }) };
}

/** Says that the samples after `step` before this line do not count: the run continued from there. */
export const samplesResumeLine = (resume: number): string => JSON.stringify({ resume });

/** Applies the lines in their order. */
export function readSampleLines(content: string): StoredLine[] {
  let kept: StoredLine[] = [];
  for (const line of content.split('\n')) {
    const value = line.length <= MAX_LINE ? parsed(line) : null;
    if (!isRecord(value)) continue;
    const { resume, step: at } = value;
    if (typeof resume === 'number') kept = kept.filter((stored) => stored.step <= resume);
    else if (typeof at === 'number') kept.push({ step: at, line });
  }
  return kept;
}

/** The samples of these lines, without those that are not valid. */
export function parseSamples(lines: readonly StoredLine[]): Sample[] {
  return lines.flatMap(({ line }) => {
    const result = v.safeParse(SampleLine, parsed(line));
    return result.success ? [sampleOf(result.output)] : [];
  });
}

function sampleOf({ tokens, problem, ...line }: SampleLine): Sample {
  const sample: Sample = { ...line, tokens: tokens.map(pieceOf) };
  if (problem !== undefined) sample.problem = problem;
  return sample;
}

const pieceOf = ([id, piece, share, others]: TokenTuple): TokenPiece => ({
  id,
  text: piece,
  probability: share,
  rivals: others.map(([rival, rivalShare]) => ({ text: rival, probability: rivalShare })),
});

function parsed(line: string): unknown {
  if (line === '') return null;
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
