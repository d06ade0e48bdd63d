/**
 * Carries out a recipe in Node, on the engine on the processor, and prints one JSON line per
 * evaluation and per stage:
 *
 *     npx vite build --config bench/alignment/vite.config.ts
 *     node dist-pilot/pilot.js RECIPE.json [--seed N] [--set STAGE.SECTION.FIELD=VALUE]...
 *
 * SECTION is one of the RunConfig (training, model, ...) or of the StageConfig (dataset, dpo, ...).
 * `--set` also takes STAGE.objective. The recipe is that of `npm run headless -- --recipe`.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { defaultConfig } from '../../src/config/index.ts';
import { parseRecipe, parseStage } from '../../src/config/stage/index.ts';
import { setBuildLoader } from '../../src/processor/index.ts';
import { type LabModel, labBase, labStage } from '../../src/testing/stage_lab.ts';
import { startTested } from '../../src/testing/start_once.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
    builds: { type: 'string', default: 'assembly/build' },
  },
});

type Json = Record<string, unknown>;
const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Sets a value at a path of keys, and makes what is missing on the way. */
function setAt(target: Json, keys: readonly string[], value: unknown): void {
  const [key = '', ...rest] = keys;
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  const next = target[key];
  const inner = isRecord(next) ? next : {};
  target[key] = inner;
  setAt(inner, rest, value);
}

const RUN_SECTIONS = Object.keys(defaultConfig());

function changed(source: unknown): unknown {
  const { stages } = isRecord(source) ? source : { stages: [] };
  const list = Array.isArray(stages) ? stages.filter(isRecord) : [];
  for (const assignment of values.set) {
    const at = assignment.indexOf('=');
    const [id = '', ...path] = assignment.slice(0, at).split('.');
    const text = assignment.slice(at + 1);
    const value: unknown = /^[-\d.{["]|^(true|false|null)$/u.test(text) ? JSON.parse(text) : text;
    for (const stage of list) {
      if (stage.id !== id && id !== '*') continue;
      const part = RUN_SECTIONS.includes(path[0] ?? '') ? 'config' : 'stage';
      if (part === 'config' || stage.stage) setAt(stage, [part, ...path], value);
    }
  }
  if (values.seed !== undefined) {
    for (const stage of list) {
      setAt(stage, ['config', 'training', 'seed'], Number(values.seed));
      if (stage.stage) setAt(stage, ['stage', 'dataset', 'seed'], Number(values.seed));
    }
  }
  return source;
}

const print = (record: object): void => console.log(JSON.stringify(record));

async function main(): Promise<void> {
  setBuildLoader(async (name) =>
    WebAssembly.compile(readFileSync(`${values.builds}/${name}.wasm`)),
  );
  await startTested('processor');
  const [file = ''] = positionals;
  const recipe = parseRecipe(changed(JSON.parse(readFileSync(file, 'utf8'))));
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
