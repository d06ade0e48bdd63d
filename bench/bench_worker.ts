/** The worker of the bench page. It runs one job on one backend and is then terminated. */
import { measureAttentionTiles } from './attention_tiles.ts';
import type { BenchOptions, ConfigName } from './configs.ts';
import { type EncodeOptions, type EncodeRow, measureEncoding } from './encode.ts';
import { type GenerateOptions, type GenerateRow, measureGeneration } from './generate.ts';
import { type GrpoOptions, type GrpoRow, measureGrpo } from './grpo.ts';
import { type LossesOptions, type LossesRow, measureLosses } from './losses.ts';
import { type MatmulRow, type MatmulsOptions, measureMatmuls } from './matmuls_vs_tfjs.ts';
import { measure } from './measure.ts';
import type { OpRow } from './op_timer.ts';
import { measureOps } from './ops.ts';
import { type SearchOptions, searchMatmuls, type SearchRow } from './search.ts';
import type { BenchRow } from './step_row.ts';

export type Job =
  | ({ kind: 'step' } & BenchOptions)
  | ({ kind: 'generate' } & GenerateOptions)
  | ({ kind: 'grpo' } & GrpoOptions)
  | ({ kind: 'encode' } & EncodeOptions)
  | ({ kind: 'losses' } & LossesOptions)
  | { kind: 'ops'; config: ConfigName; only: string | null }
  | { kind: 'attention'; config: ConfigName }
  | ({ kind: 'matmuls' } & MatmulsOptions)
  | ({ kind: 'search' } & SearchOptions);
export type AnyRow =
  BenchRow | EncodeRow | GenerateRow | GrpoRow | LossesRow | MatmulRow | OpRow | SearchRow;
/** `partial` has all rows of the job so far. */
export type Reply =
  | { kind: 'log'; line: string }
  | { kind: 'partial' | 'rows'; rows: AnyRow[] }
  | { kind: 'error'; message: string };

const reply = (message: Reply): void => self.postMessage(message);
const log = (line: string): void => reply({ kind: 'log', line });
const keep = (rows: AnyRow[]): void => reply({ kind: 'partial', rows });

async function work(job: Job): Promise<AnyRow[]> {
  switch (job.kind) {
    case 'step':
      return [await measure(job, log)];
    case 'generate':
      return [await measureGeneration(job, log)];
    case 'grpo':
      return [await measureGrpo(job, log)];
    case 'encode':
      return measureEncoding(job, log);
    case 'losses':
      return measureLosses(job, log, keep);
    case 'ops':
      return measureOps({ size: job.config, only: job.only, log, keep });
    case 'attention':
      return measureAttentionTiles(job.config, log);
    case 'matmuls':
      return measureMatmuls(job, log, keep);
    case 'search':
      return searchMatmuls(job, log);
    default:
      return job satisfies never;
  }
}

self.addEventListener('message', (event: MessageEvent<Job>) => {
  work(event.data).then(
    (rows) => reply({ kind: 'rows', rows }),
    (error: unknown) =>
      reply({ kind: 'error', message: error instanceof Error ? error.message : String(error) }),
  );
});
