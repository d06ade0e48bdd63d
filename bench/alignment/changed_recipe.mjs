/**
 * A recipe with some values changed: `seed=2` for training and data of all stages, or
 * `STAGE.SECTION.FIELD=VALUE`, where STAGE may be `*`. Sections of the RunConfig are in the stage's
 * `config`, all others in its `stage`. `STAGE.FIELD=VALUE` changes the entry of the recipe itself, such
 * as `reward.parent=careless`.
 */
const RUN_SECTIONS = ['data', 'tokenizer', 'model', 'training', 'sampling', 'runtime'];

export function changedRecipe(recipe, changes) {
  const changed = structuredClone(recipe);
  for (const change of changes) {
    const at = change.indexOf('=');
    const path = change.slice(0, at);
    const value = valueOf(change.slice(at + 1));
    if (path === 'only') changed.stages = stagesFor(changed.stages, String(value).split(','));
    else if (path === 'seed') setSeed(changed.stages, value);
    else setField(changed.stages, path.split('.'), value);
  }
  return changed;
}

/** The stages of these ids and those that they start from. */
function stagesFor(stages, ids) {
  const wanted = new Set(ids);
  for (const { id, parent, reward_model } of [...stages].reverse()) {
    if (!wanted.has(id)) continue;
    for (const other of [parent, reward_model]) if (other) wanted.add(other);
  }
  return stages.filter(({ id }) => wanted.has(id));
}

function setSeed(stages, seed) {
  for (const stage of stages) {
    setAt(stage, ['config', 'training', 'seed'], seed);
    if (stage.stage) setAt(stage, ['stage', 'dataset', 'seed'], seed);
  }
}

function setField(stages, [id, ...path], value) {
  const part = RUN_SECTIONS.includes(path[0]) ? 'config' : 'stage';
  for (const stage of stages) {
    if (stage.id !== id && id !== '*') continue;
    if (path.length === 1) stage[path[0]] = value;
    else if (part === 'config' || stage.stage) setAt(stage, [part, ...path], value);
  }
}

function setAt(target, [key, ...rest], value) {
  if (rest.length === 0) target[key] = value;
  else setAt((target[key] ??= {}), rest, value);
}

function valueOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
