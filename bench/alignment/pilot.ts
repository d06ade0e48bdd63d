/**
 * Carries out a recipe in Node, on the engine on the processor, and prints one JSON line per
 * evaluation and per stage:
 *
 *     npx vite build --config bench/alignment/vite.config.ts
 *     node dist-pilot/pilot.js RECIPE.json [--seed N] [--set STAGE.SECTION.FIELD=VALUE]...
 *
 * The recipe is that of `npm run headless -- --recipe`; `changed_recipe.mjs` makes the changes.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseRecipe, parseStage } from '../../src/config/stage/index.ts';
import { setBuildLoader } from '../../src/processor/index.ts';
import { type LabModel, labBase, labStage } from '../../src/testing/stage_lab.ts';
import { startTested } from '../../src/testing/start_once.ts';
import { changedRecipe } from './changed_recipe.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    builds: { type: 'string', default: 'assembly/build' },
  },
});

const print = (record: object): void => console.log(JSON.stringify(record));

async function main(): Promise<void> {
  setBuildLoader(async (name) =>
    WebAssembly.compile(readFileSync(`${values.builds}/${name}.wasm`)),
  );
  await startTested('processor');
  const [file = ''] = positionals;
  const changes = values.seed === undefined ? values.set : [`seed=${values.seed}`, ...values.set];
  const recipe = parseRecipe(changedRecipe(JSON.parse(readFileSync(file, 'utf8')), changes));
  const models = new Map<string, LabModel>();
  for (const { id, config, stage, parent, reward_model } of recipe.stages) {
    const from = models.get(parent ?? '');
    const reward = models.get(reward_model ?? '');
    const onRow = (row: object): void => print({ stage: id, seed: values.seed, ...row });
    const { training, sampling, model } = config;
    const run =
      stage && from
        ? await labStage({
            parent: from,
            stage: parseStage(stage),
            changes: { training, sampling, model: { dropout: model.dropout } },
            onRow,
            reward,
          })
        : await labBase(config);
    models.set(id, run);
    print({ done: id, seed: values.seed, seconds: run.seconds, last: run.rows.at(-1) });
  }
}

await main();
