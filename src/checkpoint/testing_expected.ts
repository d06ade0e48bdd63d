/**
 * What a model folder should compute, in two files beside it. This is the format of
 * scripts/check_transformers.py: our tests write it for folders that transformers should open, and
 * transformers writes it for folders that our tests should open. Imported only by tests.
 */
import * as v from 'valibot';
import { encodeJson, parseRecord } from './json.ts';

export interface Expected {
  /** Texts with their token ids, and the texts that the ids decode to. */
  texts: { text: string; ids: number[]; decoded: string }[];
  /** [batch][time] */
  input_ids: number[][];
  /** Row-major [batch, time, vocab_size]. */
  logits: Float32Array;
  shape: number[];
  /**
   * Tensors of transformers' state dict in float32, by name, with the sum of the values and the last
   * value.
   */
  tensors?: Record<string, { shape: number[]; sum: number; last: number }>;
}

const FILE = 'expected.json';
const LOGITS = 'expected_logits.f32';
const numbers = v.array(v.number());
const Json = v.object({
  texts: v.array(v.object({ text: v.string(), ids: numbers, decoded: v.string() })),
  input_ids: v.array(numbers),
  logits: v.object({ file: v.literal(LOGITS), shape: numbers }),
  versions: v.optional(v.record(v.string(), v.string())),
  tensors: v.optional(
    v.record(v.string(), v.object({ shape: numbers, sum: v.number(), last: v.number() })),
  ),
});

export function writeExpected({
  texts,
  input_ids,
  logits,
  shape,
}: Expected): Map<string, Uint8Array> {
  return new Map([
    [FILE, encodeJson({ texts, input_ids, logits: { file: LOGITS, shape } })],
    [LOGITS, new Uint8Array(logits.slice().buffer)],
  ]);
}

export function readExpected(files: ReadonlyMap<string, Uint8Array>): Expected {
  const json = v.parse(Json, parseRecord(files.get(FILE) ?? new Uint8Array(), FILE));
  const logits = new Float32Array((files.get(LOGITS) ?? new Uint8Array()).slice().buffer);
  if (logits.length !== json.logits.shape.reduce((product, n) => product * n, 1))
    throw new Error(`${LOGITS} has ${logits.length} values`);
  return { ...json, logits, shape: json.logits.shape };
}
