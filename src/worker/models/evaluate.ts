/** An evaluation of an open model: held-out items of a task, and the validation text of its base. */
import { CheckpointError } from '../../checkpoint/index.ts';
import type { EvaluationRecord, EvaluationSettings, MeasuredValue } from '../../common/index.ts';
import type { PromptExample } from '../../data/index.ts';
import type { EvaluateCommand, Event, Measurement } from '../../protocol/index.ts';
import { breathe } from '../../train/index.ts';
import { answersOf, choicesOf, passesOf } from './measure_answers.ts';
import { klFrom, rewardsOf, winsOver } from './measure_rewards.ts';
import type { EvaluatedModels, Measuring } from './measuring.ts';
import { ModelRefusal } from './model_refusal.ts';
import type { OpenModel } from './open_model.ts';
import { type SampledAnswer, sampleAnswers } from './sampling.ts';
import { taskItems } from './task_items.ts';
import { textBitsPerByte } from './validation_text.ts';

export class Evaluation {
  readonly #command: EvaluateCommand;
  readonly #models: EvaluatedModels;
  readonly #notes: string[] = [];
  readonly #sampled = new Map<OpenModel, Map<number, Promise<SampledAnswer[]>>>();

  constructor(command: EvaluateCommand, models: EvaluatedModels) {
    this.#command = command;
    this.#models = models;
  }

  /** One record for the task and one for the text, as far as they were asked for; both are kept. */
  async run(): Promise<EvaluationRecord[]> {
    this.#check();
    const { measure } = this.#command;
    const started = performance.now();
    const records: EvaluationRecord[] = [];
    const ofTask = measure.filter((one) => one !== 'bits_per_byte');
    if (ofTask.length > 0) {
      const measuring = await this.#measuring();
      const values: MeasuredValue[] = [];
      for (const one of ofTask) values.push(...(await measured(one, measuring)));
      records.push(this.#record(measuring.settings, values, started));
    }
    if (measure.includes('bits_per_byte')) records.push(...(await this.#ofText()));
    await this.#keep(records);
    return records;
  }

  /** Refuses what cannot be measured, before anything is computed. */
  #check(): void {
    const { measure } = this.#command;
    const { model, parent, reward_model } = this.#models;
    const needsParent = measure.includes('win_rate') || measure.includes('kl');
    if (needsParent && !parent) throw noParent();
    if (measure.includes('kl') && parent && parent.vocabulary !== model.vocabulary) {
      throw otherVocabulary(model, parent);
    }
    if (!reward_model) return;
    if (!reward_model.isReward) throw noReward(reward_model);
    if (reward_model.vocabulary !== model.vocabulary) throw otherTokenizer(model, reward_model);
  }

  async #measuring(): Promise<Measuring> {
    const { dataset, settings } = this.#command;
    const items = await taskItems(dataset);
    return {
      ...this.#models,
      items,
      true_reward: items.true_reward,
      notes: this.#notes,
      settings: {
        ...settings,
        task: dataset.task,
        items: items.examples.length,
        preference: dataset.preference,
        variant: items.variant,
      },
      sampled: (model, temperature) => this.#answers(model, temperature, items.examples),
      progress: (of, done, total) => this.#progress(of, done, total),
      before: (of, total) => (done) => {
        this.#progress(of, done, total);
        return breathe();
      },
    };
  }

  #answers(
    model: OpenModel,
    temperature: number,
    examples: readonly PromptExample[],
  ): Promise<SampledAnswer[]> {
    const known = this.#sampled.get(model) ?? new Map<number, Promise<SampledAnswer[]>>();
    this.#sampled.set(model, known);
    const { seed, max_new_tokens } = this.#command.settings;
    const prompts = encodedPrompts(model, examples, max_new_tokens, this.#notes);
    const of = `Answers of “${model.checkpoint.name}”`;
    const progress = (done: number): void => this.#progress(of, done, prompts.length);
    const answers =
      known.get(temperature) ??
      sampleAnswers(model, { prompts, temperature, seed, max_new_tokens, progress });
    known.set(temperature, answers);
    return answers;
  }

  #progress(of: string, done: number, total: number): void {
    if (this.#models.stopped()) throw cancelled();
    const job = this.#command.id;
    const event: Event = { type: 'evaluation_progress', job, of, done, total };
    this.#models.context.emit(event);
  }

  async #ofText(): Promise<EvaluationRecord[]> {
    const { model, context } = this.#models;
    const started = performance.now();
    const windows = this.#command.dataset.eval_size;
    const result = await textBitsPerByte(model, context, {
      windows,
      before: (done, total) => {
        this.#progress('Validation text', done, total);
        return breathe();
      },
    });
    if (typeof result === 'string') {
      this.#notes.push(result);
      if (this.#command.measure.length > 1) return [];
      throw new ModelRefusal('no_items', result, 'Choose what else to measure.');
    }
    const settings: EvaluationSettings = {
      ...this.#command.settings,
      task: result.text,
      items: result.value.n,
      preference: '',
      variant: '',
    };
    return [this.#record(settings, [result.value], started)];
  }

  #record(
    settings: EvaluationSettings,
    values: readonly MeasuredValue[],
    started: number,
  ): EvaluationRecord {
    const { model, parent, reward_model } = this.#models;
    return {
      at: Date.now(),
      model: model.checkpoint,
      objective: model.lineage.objective,
      parent: parent?.checkpoint ?? null,
      reward_model: reward_model?.checkpoint ?? null,
      settings,
      seconds: (performance.now() - started) / 1000,
      values,
      notes: [...new Set(this.#notes)],
    };
  }

  /** Keeps the records with the run. Storage that refuses is told, and loses nothing on the page. */
  async #keep(records: readonly EvaluationRecord[]): Promise<void> {
    const { model, context } = this.#models;
    const { run } = model.checkpoint;
    if (run === null) return;
    try {
      const file = await (await context.storage()).records.evaluations(run);
      file.add(records);
      await file.flush();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      const message = `The evaluation is shown, but could not be kept with the run. ${error.message}`;
      context.emit({ type: 'notice', message });
    }
  }
}

async function measured(
  what: Exclude<Measurement, 'bits_per_byte'>,
  measuring: Measuring,
): Promise<MeasuredValue[]> {
  switch (what) {
    case 'answers':
      return answersOf(measuring);
    case 'pass_at_k':
      return passesOf(measuring);
    case 'choices':
      return choicesOf(measuring);
    case 'rewards':
      return rewardsOf(measuring);
    case 'win_rate':
      return winsOver(measuring);
    case 'kl':
      return klFrom(measuring);
    default:
      return what satisfies never;
  }
}

/** Ids of each prompt; null for one that the model cannot read, which a note counts. */
function encodedPrompts(
  model: OpenModel,
  examples: readonly PromptExample[],
  max_new_tokens: number,
  notes: string[],
): (Int32Array | null)[] {
  const prompts = examples.map(({ prompt }) => model.readable(prompt));
  const missing = prompts.filter((ids) => ids === null).length;
  const { block_size } = model.model;
  const short = prompts.filter((ids) => ids && ids.length + max_new_tokens > block_size).length;
  const name = `“${model.checkpoint.name}”`;
  if (missing > 0) {
    notes.push(
      `${missing} of ${prompts.length} prompts cannot be read by ${name}: they are too long, or have ` +
        'characters that its tokenizer lacks. They count as wrong answers.',
    );
  }
  if (short > 0) {
    notes.push(
      `Answers of ${name} to ${short} prompts end with its context of ${block_size} tokens.`,
    );
  }
  return prompts;
}

const cancelled = (): CheckpointError =>
  new CheckpointError('cancelled', 'The evaluation was cancelled.', 'Start it again at any time.');

const noParent = (): ModelRefusal =>
  new ModelRefusal(
    'no_parent',
    'Win rate and KL need a model to compare with.',
    'Choose the parent of the model, or measure something else.',
  );

export const noReward = ({ checkpoint }: OpenModel): ModelRefusal =>
  new ModelRefusal(
    'no_reward_model',
    `“${checkpoint.name}” is no reward model, so it cannot score answers.`,
    'Choose a model that was trained on pairs with the objective reward.',
  );

const otherVocabulary = (model: OpenModel, parent: OpenModel): ModelRefusal =>
  new ModelRefusal(
    'other_vocabulary',
    `“${parent.checkpoint.name}” has another vocabulary than “${model.checkpoint.name}”, so their ` +
      'probabilities cannot be compared.',
    'Choose a parent with the same tokens, such as the model after SFT, or leave KL out.',
  );

const otherTokenizer = (model: OpenModel, reward: OpenModel): ModelRefusal =>
  new ModelRefusal(
    'other_tokenizer',
    `The reward model “${reward.checkpoint.name}” has another tokenizer than “${model.checkpoint.name}”.`,
    'Choose a reward model that was trained from the same parent.',
  );
