/**
 * Carries out recipes in Node, on the engine on the processor, and prints one JSON line per
 * evaluation and per stage:
 *
 *     npx vite build --config bench/alignment/vite.config.ts
 *     node dist-pilot/pilot.js RECIPE.json[@CHANGE]... [--seed N] [--set STAGE.SECTION.FIELD=VALUE]...
 *
 * The recipe is that of `npm run headless -- --recipe`; `changed_recipe.mjs` makes the changes. A
 * stage that an earlier recipe of the same call had, with the same settings and ancestors, is not
 * trained again. `--stdin` takes further recipes from standard input, one a line.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { parseRecipe, parseStage, type RecipeStage } from '../../src/config/stage/index.ts';
import { setBuildLoader } from '../../src/processor/index.ts';
import { type LabModel, labBase, type LabRun, labStage } from '../../src/testing/stage_lab.ts';
import { startTested } from '../../src/testing/start_once.ts';
import { changedRecipe } from './changed_recipe.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    builds: { type: 'string', default: 'assembly/build' },
    stdin: { type: 'boolean', default: false },
  },
});

const print = (record: object): void => console.log(JSON.stringify(record));

/** Trained stages by their settings and those of all that they start from. */
const trained = new Map<string, LabRun>();

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
    if (trained.has(key)) continue;
    const about = { argument, stage: stage.id };
    const run = await carryOutStage(stage, {
      parent: trained.get(keys.get(parent ?? '') ?? ''),
      reward: trained.get(keys.get(reward_model ?? '') ?? ''),
      onRow: (row) => print({ ...about, ...row }),
    });
    trained.set(key, run);
    print({ ...about, done: stage.id, seconds: run.seconds, last: run.rows.at(-1) });
  }
}

interface StageModels {
  parent: LabModel | undefined;
  reward: LabModel | undefined;
  onRow: (row: object) => void;
}

async function carryOutStage(
  { config, stage }: RecipeStage,
  { parent, reward, onRow }: StageModels,
): Promise<LabRun> {
  if (!stage || !parent) return labBase(config);
  const { training, sampling, model } = config;
  return labStage({
    parent,
    stage: parseStage(stage),
    changes: { training, sampling, model: { dropout: model.dropout } },
    onRow,
    reward,
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
