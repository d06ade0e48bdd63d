/**
 * A recipe: a chain of stages as JSON, each trained from an earlier one. It comes from a preset, a
 * file (`npm run headless -- --recipe FILE`) or an address (`?recipe=`).
 */
import * as v from 'valibot';
import { ConfigError } from '../errors.ts';
import { parseConfig } from '../parse.ts';
import { PRESETS } from '../presets.ts';
import type { RunConfig } from '../schema.ts';
import { checkStage, type StageProblem } from './check.ts';
import { issueText } from './issues.ts';
import { parseStage } from './parse.ts';
import { makeSameTokenizer, type RatedModel, rewardModelProblem } from './reward_model.ts';
import type { StageConfig } from './schema.ts';

/** Stages that a recipe may have. */
const MAX_STAGES = 16;

const Name = v.pipe(v.string(), v.minLength(1), v.maxLength(80));
const Fields = v.record(v.string(), v.unknown());

const StageSchema = v.strictObject({
  /** By which later stages name it. */
  id: v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,32}$/u)),
  name: Name,
  /** A preset of pretraining that `config` changes. */
  preset: v.optional(v.string()),
  /** Fields of the RunConfig by section. Model and tokenizer of a stage are its parent's. */
  config: v.optional(v.record(v.string(), Fields), {}),
  /** Absent for pretraining. */
  stage: v.optional(Fields),
  /** The stage whose weights it starts from. */
  parent: v.optional(v.string()),
  /** Start from the parent's best weights instead of the last ones. */
  weights: v.optional(v.picklist(['last', 'best']), 'last'),
  /** PPO: the stage whose reward model scores. */
  reward_model: v.optional(v.string()),
});

const RecipeSchema = v.strictObject({
  name: Name,
  stages: v.pipe(v.array(StageSchema), v.minLength(1), v.maxLength(MAX_STAGES)),
});

export interface RecipeStage {
  id: string;
  name: string;
  config: RunConfig;
  /** Null for pretraining. */
  stage: StageConfig | null;
  parent: string | null;
  weights: 'last' | 'best';
  reward_model: string | null;
}

export interface Recipe {
  name: string;
  stages: readonly RecipeStage[];
}

/**
 * Reads a recipe from a value that JSON made.
 *
 * @throws ConfigError
 */
export function parseRecipe(value: unknown): Recipe {
  const result = v.safeParse(RecipeSchema, value);
  if (!result.success) {
    const [issue] = result.issues;
    throw bad(issueText(issue, { stages: 'stage' }));
  }
  const earlier = new Map<string, RecipeStage>();
  for (const input of result.output.stages) {
    const stage = stageOf(input, earlier);
    checkSettings(stage, earlier);
    earlier.set(stage.id, stage);
  }
  return { name: result.output.name, stages: [...earlier.values()] };
}

type Earlier = ReadonlyMap<string, RecipeStage>;

function stageOf(input: v.InferOutput<typeof StageSchema>, earlier: Earlier): RecipeStage {
  const { id, name, weights, parent = null, reward_model = null } = input;
  for (const other of [parent, reward_model]) {
    if (other !== null && !earlier.has(other))
      throw bad(`its stage ${id} needs ${other}, which does not come before it`);
  }
  if (earlier.has(id)) throw bad(`it has two stages ${id}`);
  if (input.stage && parent === null) throw bad(`its stage ${id} has no parent`);
  const stage = input.stage ? parseStage(input.stage) : null;
  return { id, name, config: configOf(input), stage, parent, weights, reward_model };
}

/** A chain may train for long before it comes to a stage that cannot begin. */
function checkSettings(one: RecipeStage, earlier: Earlier): void {
  const { id, stage, parent, reward_model } = one;
  if (!stage || parent === null) return;
  const from = earlier.get(parent);
  const base = baseOf(from, earlier);
  const scoring = reward_model === null ? undefined : earlier.get(reward_model);
  const problems = checkStage(stage, {
    parent: base?.config ?? null,
    parent_objective: objectiveOf(from),
    has_reward_model: scoring !== undefined,
    reward_model_problem: scoring && from ? misfit(scoring, from, earlier) : null,
    votes: 0,
  });
  const [problem] = stage.dataset.task === 'own' ? [NEEDS_FILE] : problems;
  if (problem)
    throw new ConfigError(
      'bad_value',
      `The stage ${id} of this chain could not begin: ${uncapital(problem.message)}`,
      problem.hint,
    );
}

const NEEDS_FILE = {
  message: 'It learns from the examples of a file, and a chain has no files.',
  hint: 'Choose a task that generates examples (dataset.task), or train this stage by itself.',
};

/** The base model that a stage began with, whose sizes and tokenizer it has. */
function baseOf(stage: RecipeStage | undefined, earlier: Earlier): RecipeStage | undefined {
  const before = stage?.parent == null ? undefined : earlier.get(stage.parent);
  return before ? baseOf(before, earlier) : stage;
}

const objectiveOf = (one: RecipeStage | undefined): string => one?.stage?.objective ?? 'pretrain';

/** Why a reward model of the chain cannot score the answers of a stage; null if it can. */
function misfit(scoring: RecipeStage, policy: RecipeStage, earlier: Earlier): StageProblem | null {
  const its = (baseOf(scoring, earlier) ?? scoring).config;
  const ours = (baseOf(policy, earlier) ?? policy).config;
  const rated = (one: RecipeStage, { model }: RunConfig): RatedModel => {
    return { name: one.name, objective: objectiveOf(one), model };
  };
  const isSame = its === ours || makeSameTokenizer(its, ours);
  return rewardModelProblem(rated(scoring, its), rated(policy, ours), isSame);
}

const uncapital = (text: string): string =>
  /^[A-Z][a-z ]/u.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;

function configOf({ preset, config }: v.InferOutput<typeof StageSchema>): RunConfig {
  const base = PRESETS.find(({ id }) => id === preset);
  if (preset !== undefined && !base) throw bad(`there is no preset ${preset}`);
  const sections: Record<string, unknown> = { ...base?.config };
  for (const [section, fields] of Object.entries(config)) {
    sections[section] = Object.assign({}, sections[section], fields);
  }
  return parseConfig(sections);
}

const bad = (what: string): ConfigError =>
  new ConfigError(
    'not_a_config',
    `This is not a chain of stages: ${what}.`,
    'Compare it with a chain that the page saves as a file.',
  );
