/**
 * Carries out recipes in Node, on the engine on the processor, and prints one JSON line per
 * evaluation and per stage:
 *
 *     npx vite build --config bench/alignment/vite.config.ts
 *     node dist-pilot/pilot.js RECIPE.json[@CHANGE]... [--seed N] [--set STAGE.SECTION.FIELD=VALUE]...
 *
 * The recipe is that of `npm run headless -- --recipe`; `changed_recipe.mjs` makes the changes. A
 * stage that an earlier recipe had, with the same settings and ancestors, is not trained again; with
 * `--keep FOLDER`, neither is one of an earlier call (the folder is for one version of the code).
 * `--stdin` takes further recipes from standard input, one a line. `--rollouts N` prints the last N
 * answers that training sampled before each evaluation.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { parseRecipe, parseStage, type RecipeStage } from '../../src/config/stage/index.ts';
import { importTokenizer } from '../../src/data/index.ts';
import { setBuildLoader } from '../../src/processor/index.ts';
import {
  type LabModel,
  labBase,
  type LabRun,
  type LabStage,
  labStage,
} from '../../src/testing/stage_lab.ts';
import { startTested } from '../../src/testing/start_once.ts';
import { changedRecipe } from './changed_recipe.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    builds: { type: 'string', default: 'assembly/build' },
    stdin: { type: 'boolean', default: false },
    keep: { type: 'string', default: '' },
    rollouts: { type: 'string', default: '0' },
  },
});

const print = (record: object): void => console.log(JSON.stringify(record));
const shown = Number(values.rollouts);

/** Trained stages by their settings and those of all that they start from. */
const trained = new Map<string, LabModel>();

const fileOf = (key: string): string =>
  `${values.keep}/${createHash('sha256').update(key).digest('hex').slice(0, 16)}`;

interface Kept extends Omit<LabModel, 'tokenizer'> {
  tokenizer_json: unknown;
}

const isKept = (value: unknown): value is Kept =>
  typeof value === 'object' && value !== null && 'tokenizer_json' in value && 'state' in value;

/** A stage of this call, or one that an earlier call kept. */
async function trainedBefore(key: string): Promise<boolean> {
  if (trained.has(key)) return true;
  if (values.keep === '' || !existsSync(fileOf(key))) return false;
  const kept: unknown = deserialize(readFileSync(fileOf(key)));
  if (!isKept(kept)) return false;
  trained.set(key, { ...kept, tokenizer: await importTokenizer(kept.tokenizer_json) });
  return true;
}

function keepTrained(key: string, run: LabModel): void {
  const { config, vocab_size, chat_template, state, tokenizer } = run;
  const model = { config, vocab_size, chat_template, state };
  trained.set(key, { ...model, tokenizer });
  if (values.keep === '') return;
  mkdirSync(values.keep, { recursive: true });
  writeFileSync(fileOf(key), serialize({ ...model, tokenizer_json: tokenizer.toTokenizerJson() }));
}

async function carryOut(argument: string): Promise<void> {
  const [file = '', ...own] = argument.split('@');
  const seed = values.seed === undefined ? [] : [`seed=${values.seed}`];
  const changes = [...seed, ...values.set, ...own];
  const recipe = parseRecipe(changedRecipe(JSON.parse(readFileSync(file, 'utf8')), changes));
  const keys = new Map<string, string>();
  for (const stage of recipe.stages) {
    const { parent, reward_model, weights, config } = stage;
    const key = JSON.stringify([
      config,
      stage.stage,
      weights,
      keys.get(parent ?? ''),
      keys.get(reward_model ?? ''),
    ]);
    keys.set(stage.id, key);
    if (await trainedBefore(key)) continue;
    const about = { argument, stage: stage.id };
    const run = await carryOutStage(stage, {
      parent: trained.get(keys.get(parent ?? '') ?? ''),
      reward: trained.get(keys.get(reward_model ?? '') ?? ''),
      onRow: (row) => print({ ...about, ...row }),
      onRollouts: (records) => {
        const last = records.slice(records.length - Math.min(shown, records.length));
        for (const { step, prompt, completion, rewards } of last) {
          print({ ...about, step, prompt, completion, rewards });
        }
      },
    });
    keepTrained(key, run);
    print({ ...about, done: stage.id, seconds: run.seconds, last: run.rows.at(-1) });
  }
}

type StageModels = Pick<LabStage, 'onRow' | 'onRollouts' | 'reward'> & {
  parent: LabModel | undefined;
};

async function carryOutStage(
  { config, stage }: RecipeStage,
  { parent, ...rest }: StageModels,
): Promise<LabRun> {
  if (!stage || !parent) return labBase(config);
  const { training, sampling, model } = config;
  return labStage({
    parent,
    stage: parseStage(stage),
    changes: { training, sampling, model: { dropout: model.dropout } },
    ...rest,
  });
}

async function main(): Promise<void> {
  setBuildLoader(async (name) =>
    WebAssembly.compile(readFileSync(`${values.builds}/${name}.wasm`)),
  );
  await startTested('processor');
  for (const argument of positionals) await carryOut(argument);
  if (!values.stdin) return;
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      if (line.trim() !== '') await carryOut(line.trim());
    } catch (error) {
      print({ argument: line, error: String(error) });
    }
  }
}

await main();
