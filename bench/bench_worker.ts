/** The worker of the bench page: one job, one backend, then it is done with. */
import { measureProducts, type ProductsOptions, type ProductsRow } from './against_tfjs.ts';
import { measureAttentionTiles } from './attention_tiles.ts';
import type { BenchOptions, ConfigName } from './configs.ts';
import { type EncodeOptions, type EncodeRow, measureEncoding } from './encode.ts';
import { type GenerateOptions, type GenerateRow, measureGeneration } from './generate.ts';
import { type LossesOptions, type LossesRow, measureLosses } from './losses.ts';
import { type BenchRow, measure } from './measure.ts';
import type { OpRow } from './op_timer.ts';
import { measureOps } from './ops.ts';
import { type SearchOptions, searchProducts, type SearchRow } from './search.ts';

export type Job =
  | ({ kind: 'step' } & BenchOptions)
  | ({ kind: 'generate' } & GenerateOptions)
  | ({ kind: 'encode' } & EncodeOptions)
  | ({ kind: 'losses' } & LossesOptions)
  | { kind: 'ops'; config: ConfigName; only: string | null }
  | { kind: 'attention'; config: ConfigName }
  | ({ kind: 'products' } & ProductsOptions)
  | ({ kind: 'search' } & SearchOptions);
export type AnyRow =
  BenchRow | EncodeRow | GenerateRow | LossesRow | OpRow | ProductsRow | SearchRow;
/** `partial`: the rows of the job so far, in place of those before. */
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
    case 'encode':
      return measureEncoding(job, log);
    case 'losses':
      return measureLosses(job, log, keep);
    case 'ops':
      return measureOps({ size: job.config, only: job.only, log, keep });
    case 'attention':
      return measureAttentionTiles(job.config, log);
    case 'products':
      return measureProducts(job, log, keep);
    case 'search':
      return searchProducts(job, log);
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
