/** Commands that expect an answer: each gives the one event that answers it, or throws. */
import { CheckpointError } from '../checkpoint/index.ts';
import { tokenPieces } from '../data/index.ts';
import type { Command, CompareCommand, Event, LibraryCommand } from '../protocol/index.ts';
import type { ActiveRun } from './active_run.ts';
import type { BeginContext } from './beginning.ts';
import { manageRuns, type Backups } from './library.ts';
import { NoModel } from './plain_errors.ts';
import { settleOnDevice } from './settle_on_device.ts';
import type { PreparedText } from './prepared_text.ts';

/** Commands with an id, except `ping` and `stop_generation`. */
export type Request = Extract<
  Command,
  | { type: 'save' | 'generate' | 'profile' | 'tokenize' }
  | { type: 'export' | 'load_history' | 'compare' }
  | LibraryCommand
  | { type: 'back_up' | 'restore_backup' }
>;

export interface AnswerContext extends BeginContext {
  /** The current run, if any. */
  readonly run: ActiveRun | null;
  /** The text that was prepared last, if any. */
  readonly text: PreparedText | null;
  isCancelled(): boolean;
  readonly backups: Backups;
}

/** Executes the request. The event that it resolves to has the request's id. */
export async function answer(context: AnswerContext, request: Request): Promise<Event> {
  const { id } = request;
  switch (request.type) {
    case 'save': {
      const run = requireRun(context, 'There is no run to save yet.');
      return { type: 'saved', id, run: run.id, ...(await run.save()) };
    }
    case 'generate': {
      if (!context.run) throw new NoModel();
      return { type: 'generation_done', id, reason: await context.run.generate(request) };
    }
    case 'profile':
      return profile(context, id);
    case 'tokenize':
      return { type: 'tokens', id, pieces: tokenize(context.text, request.text) };
    case 'export': {
      const run = requireRun(context, 'There is no model to export yet.');
      return { type: 'exported', id, ...(await run.export(request.what)) };
    }
    case 'load_history': {
      const columns = await (await context.storage()).readMetrics(request.run);
      return { type: 'history', id, run: request.run, columns };
    }
    case 'compare':
      return compare(context, request);
    case 'rename_run':
    case 'duplicate_run':
    case 'delete_runs':
    case 'restore_runs':
    case 'purge_runs':
    case 'set_budget':
      return manageRuns(await context.storage(), request);
    case 'back_up':
    case 'restore_backup':
      return context.backups.run(await context.storage(), request);
    default:
      return request satisfies never;
  }
}

function requireRun({ run }: AnswerContext, message: string): ActiveRun {
  if (run) return run;
  throw new CheckpointError('run_missing', message, 'Train one, or resume a saved run.');
}

/** A profile that cannot be measured is not an error: the answer says why. */
async function profile({ run }: AnswerContext, id: number): Promise<Event> {
  if (!run) {
    const why = 'There is no run to measure yet: train one, or resume a saved one.';
    return { type: 'profile', id, profile: null, why };
  }
  try {
    const { gradient_accumulation_steps } = run.config.training;
    const profile = await run.between(async (trainer) => {
      const { profileStep } = await import('./profile.ts');
      return profileStep(trainer, gradient_accumulation_steps);
    });
    return { type: 'profile', id, profile, why: '' };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { type: 'profile', id, profile: null, why };
  }
}

function tokenize(prepared: PreparedText | null, text: string): { id: number; text: string }[] {
  if (prepared) return tokenPieces(prepared.tokenizer, text);
  throw new CheckpointError('bad_tokenizer', 'There is no tokenizer yet.', 'Choose a text first.');
}

async function compare(context: AnswerContext, command: CompareCommand): Promise<Event> {
  const { id, config, mode, steps, text: own, tokenizer_json } = command;
  if (mode === 'stock') throw new Error('Stock TensorFlow.js needs a worker of its own.');
  const wasm = mode === 'plain' ? 'tfjs' : 'engine';
  const device = await context.device.open(config.runtime.backend, wasm);
  const text = await context.prepareText(config, { text: own, tokenizer_json });
  const { vocab_size } = text.tokenizer;
  await settleOnDevice(config, { text, vocab_size, device }, context.services);
  const detail = `Measuring ${steps} steps.`;
  context.emit({ type: 'phase', phase: 'training', detail, progress: null });
  const isCancelled = (): boolean => context.isCancelled();
  const request = { config, text, device, mode, steps, isCancelled };
  const row = await context.device.orLost(context.services.compareRow(request));
  context.emit({ type: 'phase', phase: 'idle', detail: '', progress: null });
  return { type: 'comparison', id, row };
}
