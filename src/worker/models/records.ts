/** Votes, rollouts and evaluations of runs, and the latest batch of the one that trains here. */
import type { InspectedStep, ShownStep, Turns } from '../../common/index.ts';
import { type DatasetConfig, pieceText, type Tokenizer } from '../../data/index.ts';
import type { Event, RecordRequest } from '../../protocol/index.ts';
import type { ActiveRun } from '../active_run.ts';
import { NoModel } from '../plain_errors.ts';
import type { StorageContext } from '../run_parts.ts';

export interface RecordsContext extends Pick<StorageContext, 'storage'> {
  /** The current run, if any. */
  readonly run: ActiveRun | null;
}

/** Carries the request out. Throws CheckpointError, and NoModel if there is no run to inspect. */
export async function answerRecords(
  context: RecordsContext,
  request: RecordRequest,
): Promise<Event> {
  const { id } = request;
  switch (request.type) {
    case 'vote':
      return votes(context, id, request.vote.run, (file) => file.add([request.vote]));
    case 'undo_vote':
      return votes(context, id, request.run, (file) => file.undo());
    case 'read_votes':
      return votes(context, id, request.run, () => undefined);
    case 'read_rollouts': {
      const { run } = request;
      const { records } = await context.storage();
      const kept = await (await records.rollouts(run)).read();
      return { type: 'rollouts', id, run, rollouts: kept.records, dropped: kept.dropped };
    }
    case 'read_evaluations':
      return { type: 'evaluations', id, evaluations: await evaluations(context, request.runs) };
    case 'draw_prompts':
      return { type: 'prompts', id, prompts: await drawnPrompts(request.dataset) };
    case 'inspect': {
      const { run } = context;
      if (!run) throw new NoModel();
      const step = await run.between((trainer) => trainer.inspect());
      return { type: 'inspected', id, step: step && shownStep(step, run.tokenizer) };
    }
    default:
      return request satisfies never;
  }
}

/** Prompts of the training side. None for examples of the user's own. */
async function drawnPrompts(dataset: DatasetConfig): Promise<Turns[]> {
  if (dataset.task === 'own') return [];
  const { findTask } = await import('../../data/tasks/index.ts');
  const { train } = (await findTask(dataset.task)).prompts(dataset);
  return train.map(({ prompt }) => prompt);
}

type Votes = Awaited<
  ReturnType<Awaited<ReturnType<StorageContext['storage']>>['records']['votes']>
>;

/** The run's votes after a change. They name the run whose folder they are in, also in a copy of it. */
async function votes(
  context: RecordsContext,
  id: number,
  run: string,
  change: (file: Votes) => void,
): Promise<Event> {
  const file = await (await context.storage()).records.votes(run);
  change(file);
  await file.flush();
  const { records } = await file.read();
  return { type: 'votes', id, run, votes: records.map((vote) => ({ ...vote, run })) };
}

/** Oldest first. A run that was deleted meanwhile has none. */
async function evaluations(context: RecordsContext, runs: readonly string[]) {
  const store = await context.storage();
  const names = new Map((await store.list()).map(({ run, name }) => [run, name]));
  const all = [];
  for (const run of runs) {
    const name = names.get(run);
    if (name === undefined) continue;
    const { records } = await (await store.records.evaluations(run)).read();
    // The folder may be a copy, and the run may have been renamed.
    all.push(...records.map((record) => ({ ...record, model: { ...record.model, run, name } })));
  }
  return all.sort((a, b) => a.at - b.at);
}

function shownStep({ rows, ...step }: InspectedStep, tokenizer: Tokenizer): ShownStep {
  return {
    ...step,
    rows: rows.map(({ tokens, ...row }) => ({
      ...row,
      tokens: tokens.map((token) => ({ ...token, text: shownText(tokenizer, token.id) })),
    })),
  };
}

/** A token of the model beyond the tokenizer's has no text. */
const shownText = (tokenizer: Tokenizer, id: number): string =>
  id < tokenizer.vocab_size ? pieceText(tokenizer, id) : '';
