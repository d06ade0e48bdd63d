/** metrics.jsonl in the folder of a run; metrics_writer.ts is what writes it. */
import type { MetricColumns } from '../../common/index.ts';
import { parseMetricLines } from '../metric_columns.ts';
import type { FileSystem } from './file_system.ts';

export const encode = (text: string) => new TextEncoder().encode(text);

export const metricsPath = (folder: string) => `${folder}/metrics.jsonl`;

export async function readMetricLines(fs: FileSystem, folder: string): Promise<string> {
  const bytes = await fs.read(metricsPath(folder));
  return bytes ? new TextDecoder().decode(bytes) : '';
}

/** Metrics of a run that need not be open. */
export async function readMetrics(fs: FileSystem, folder: string): Promise<MetricColumns> {
  return parseMetricLines(await readMetricLines(fs, folder));
}
