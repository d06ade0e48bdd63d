/**
 * A page of an earlier version (commit ae06748) in another tab of the same browser, as far as the
 * storage that it shares with today's page is concerned. Written out here instead of shared with
 * today's code, because it must stay as it was. Imported only by tests.
 */
import * as v from 'valibot';
import { savedConfig } from '../../config/index.ts';
import { writeCheckpoint } from '../checkpoint.ts';
import type { CheckpointState } from '../checkpoint_state.ts';
import type { FileSystem } from './file_system.ts';
import { readGeneration, readPointer, writeGeneration } from './generations.ts';
import type { Locks } from './locks.ts';
import { readSlots, writeSlots } from './slots.ts';
import { OldConfigSchema } from './testing_old_schema.ts';

/** Drops unknown keys, as `v.object` does. */
const OldEntry = v.object({
  run: v.string(),
  name: v.string(),
  created: v.number(),
  updated: v.number(),
  step: v.number(),
  val_loss: v.nullable(v.number()),
  n_params: v.number(),
  bytes: v.number(),
  config: OldConfigSchema,
  resumable: v.boolean(),
});
type OldEntry = v.InferOutput<typeof OldEntry>;

const numbers = v.record(v.pipe(v.string(), v.maxLength(64)), v.pipe(v.number(), v.finite()));
/** Refuses unknown keys. */
const OldState = v.strictObject({
  version: v.literal(1),
  step: v.number(),
  tokens: v.number(),
  elapsed_seconds: v.number(),
  best_val_loss: v.nullable(v.number()),
  schedule: numbers,
  seeds: numbers,
  data_position: numbers,
  loss_scale: v.optional(
    v.strictObject({ scale: v.number(), clean_steps: v.number(), skipped_updates: v.number() }),
  ),
  config: v.unknown(),
});

export class OldPage {
  readonly #fs: FileSystem;
  readonly #locks: Locks;

  constructor(fs: FileSystem, locks: Locks) {
    this.#fs = fs;
    this.#locks = locks;
  }

  async rename(run: string, name: string): Promise<void> {
    await this.#change((entries) => entries.map((e) => (e.run === run ? { ...e, name } : e)));
  }

  /** What its list of runs shows. */
  list(): Promise<OldEntry[]> {
    return this.#readIndex();
  }

  /** Reads the training state of the last checkpoint. Throws what this version would throw. */
  async readState(run: string): Promise<v.InferOutput<typeof OldState>> {
    const [current] = await readPointer(this.#fs, `runs/${run}`);
    if (!current) throw new Error('no checkpoint');
    const files = await readGeneration(this.#fs, `runs/${run}`, current);
    const json: unknown = JSON.parse(new TextDecoder().decode(files.get('training_state.json')));
    const state = v.parse(OldState, json);
    v.parse(OldConfigSchema, state.config);
    return state;
  }

  /** Saves a checkpoint with the files that this version writes. */
  async save(run: string, state: CheckpointState): Promise<void> {
    const files = writeCheckpoint({
      ...state,
      lr_multiplier: undefined,
      objective_tensors: undefined,
      metrics: undefined,
    });
    files.delete('lineage.json');
    const bytes = await writeGeneration(this.#fs, `runs/${run}`, files);
    const { step, best_val_loss: val_loss = null } = state;
    const config = v.parse(OldConfigSchema, savedConfig(state.config));
    const change = { step, val_loss, bytes, config, updated: Date.now(), resumable: true };
    await this.#change((entries) => entries.map((e) => (e.run === run ? { ...e, ...change } : e)));
  }

  async duplicate(run: string, copy: string, name: string): Promise<void> {
    const from = `runs/${run}`;
    const to = `runs/${copy}`;
    for (const file of await this.#fs.list(from)) {
      const isCopied = /^(metrics\.jsonl|text\.)/.test(file);
      const bytes = isCopied ? await this.#fs.read(`${from}/${file}`) : null;
      if (bytes) await this.#fs.write(`${to}/${file}`, bytes);
    }
    const [current] = await readPointer(this.#fs, from);
    if (current) await writeGeneration(this.#fs, to, await readGeneration(this.#fs, from, current));
    await this.#change((entries) => [
      ...entries,
      ...entries.filter((e) => e.run === run).map((e) => ({ ...e, run: copy, name })),
    ]);
  }

  async appendMetrics(run: string, lines: string): Promise<void> {
    await this.#fs.append(`runs/${run}/metrics.jsonl`, new TextEncoder().encode(lines));
  }

  async #change(edit: (entries: OldEntry[]) => OldEntry[]): Promise<void> {
    await this.#locks.hold('terrarium-index', async () =>
      writeSlots(this.#fs, 'index.json', edit(await this.#readIndex())),
    );
  }

  async #readIndex(): Promise<OldEntry[]> {
    const index = v.parse(v.array(v.unknown()), await readSlots(this.#fs, 'index.json'));
    return index.flatMap((item) => {
      const entry = v.safeParse(OldEntry, item);
      return entry.success ? [entry.output] : [];
    });
  }
}
