/** Trains the current run in rounds, and keeps the state of a room with its run. */
import type { PoolEvent, PoolRequest, TrainRoundCommand } from '../protocol/index.ts';
import { breathe } from '../train/index.ts';
import type { ActiveRun } from './active_run.ts';
import { NoModel } from './plain_errors.ts';
import type { StorageContext } from './run_parts.ts';

export interface PoolContext extends Pick<StorageContext, 'storage'> {
  /** The current run, if any. */
  readonly run: ActiveRun | null;
}

/** Carries the request out. Throws NoModel if there is no run, and what the run throws. */
export async function answerPool(context: PoolContext, request: PoolRequest): Promise<PoolEvent> {
  const { id } = request;
  switch (request.type) {
    case 'train_round':
      return trainRound(requireRun(context), request);
    case 'end_rounds': {
      const { control } = requireRun(context);
      if (request.hold) control.hold();
      else control.unhold();
      return { type: 'rounds_ended', id };
    }
    case 'keep_pool': {
      const file = await (await context.storage()).records.pool(request.run);
      await file.write(request.bytes);
      return { type: 'pool_kept', id };
    }
    case 'read_pool': {
      const file = await (await context.storage()).records.pool(request.run);
      return { type: 'pool', id, bytes: await file.read() };
    }
    default:
      return request satisfies never;
  }
}

function requireRun({ run }: PoolContext): ActiveRun {
  if (run) return run;
  throw new NoModel();
}

async function trainRound(run: ActiveRun, command: TrainRoundCommand): Promise<PoolEvent> {
  const { id, parameters, step, shard } = command;
  const { trainer, control, config } = run;
  control.hold();
  const { holds } = control;
  const val_loss = await run.between(async (trainer) => {
    if (parameters) trainer.writeParameters(parameters);
    const loss = command.evaluate ? (await trainer.evaluate(breathe)).score : null;
    if (command.steps > 0) trainer.moveTo(step, shard);
    return loss;
  });
  const left = Math.max(0, config.training.max_iters - trainer.step);
  // The round may have been ended before its first step.
  const wanted = control.holds === holds ? Math.min(command.steps, left) : 0;
  const steps = await control.allow(wanted);
  const read = await run.between((current) => current.readParameters());
  return { type: 'round_trained', id, parameters: read, steps, val_loss };
}
