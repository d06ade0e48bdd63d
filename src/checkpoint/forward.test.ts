/**
 * Checks the forward pass that the tests of this room use as reference against PyTorch in float64
 * (src/model/golden).
 */
import { readdirSync, readFileSync } from 'node:fs';
import * as v from 'valibot';
import { expect, it } from 'vitest';
import { ModelSchema, resolveModel } from '../config/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { forward } from './testing_forward.ts';
import { tinyState } from './testing_states.ts';

const GOLDEN = new URL('../model/golden/', import.meta.url);
const Case = v.object({
  model: v.looseObject({ vocab_size: v.number() }),
  batch_size: v.number(),
  logits: v.string(),
  batches: v.array(v.object({ ids: v.array(v.number()) })),
  parameters: v.array(v.object({ name: v.string(), initial: v.string() })),
});

const floats = (base64: string) =>
  new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
const names = readdirSync(GOLDEN).filter((name) => /^(?!lora_).*\.json$/.test(name));

it('has golden cases', () => expect(names.length).toBeGreaterThanOrEqual(4));

it.each(names)('computes the logits of PyTorch before and after a checkpoint (%s)', (name) => {
  const json: unknown = JSON.parse(readFileSync(new URL(name, GOLDEN), 'utf8'));
  const {
    model: { vocab_size, ...rest },
    logits,
    batches,
    parameters,
  } = v.parse(Case, json);
  const config = v.parse(ModelSchema, rest);
  const model = resolveModel(config, vocab_size);
  const length = config.block_size;
  const weights = new Map(parameters.map(({ name: key, initial }) => [key, floats(initial)]));
  const ids = batches[0]?.ids ?? [];
  const state = tinyState(config, 1, vocab_size);
  const back = readCheckpoint(
    writeCheckpoint({ ...state, parameters: weights, optimizer: new Map() }),
  ).parameters;
  const logitsOf = (values: ReadonlyMap<string, Float32Array>) =>
    Array.from({ length: ids.length / length }, (_, b) =>
      forward(model, values, ids.slice(b * length, (b + 1) * length)),
    ).flat(1);
  expectClose(
    logitsOf(weights).flatMap((row) => [...row]),
    floats(logits),
    { atol: 1e-6, rtol: 1e-6 },
  );
  expect(logitsOf(back)).toEqual(logitsOf(weights));
});
