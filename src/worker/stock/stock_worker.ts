/**
 * The worker of stock TensorFlow.js: a bundle of its own, which Compare downloads and starts for one
 * row, and then ends. It contains none of this page's backends, kernels and gradients, and answers
 * no command but `compare`.
 */
import type { RunConfig } from '../../config/index.ts';
import { DataError } from '../../data/index.ts';
import {
  type CompareCommand,
  connectPage,
  type Event,
  type PlainError,
} from '../../protocol/index.ts';
import { settleRun } from '../../run/index.ts';
import type { PreparedText } from '../prepared_text.ts';
import { prepareText } from '../text.ts';
import { stockRow } from './compare.ts';
import { startStock } from './start.ts';

const port = connectPage(self);
port.onCommand((command) => {
  if (command.type === 'compare') void answer(command).then((event) => port.emit(event));
});

/** Never rejects: a failure is an `error` event with the command's id. */
async function answer(command: CompareCommand): Promise<Event> {
  const { id } = command;
  try {
    return { type: 'comparison', id, row: await compare(command) };
  } catch (error) {
    console.error(error);
    return { type: 'error', id, error: plainError(error) };
  }
}

async function compare({ config: requested, steps, text: own, tokenizer_json }: CompareCommand) {
  const config = inFloat32(requested);
  const { backend } = config.runtime;
  if (backend === 'auto') throw new Error('Stock TensorFlow.js needs the name of a backend.');
  await startStock(backend);
  const text = await prepareText(config, {
    text: own,
    tokenizer_json,
    signal: new AbortController().signal,
    progress: showProgress,
  });
  const { vocab_size } = text.tokenizer;
  refuseProblems(config, text);
  showProgress(`Measuring ${steps} steps.`);
  return stockRow({ config, split: text.tokens, vocab_size, backend, steps });
}

/** TensorFlow.js has no float16. */
const inFloat32 = (config: RunConfig): RunConfig => ({
  ...config,
  training: { ...config.training, mixed_precision: 'no' },
});

/** Throws the first problem of the configuration with this text. */
function refuseProblems(config: RunConfig, { tokenizer, tokens, summary }: PreparedText): void {
  const { problems } = settleRun(
    config,
    {
      vocab_size: tokenizer.vocab_size,
      train_tokens: tokens.train.length,
      val_tokens: tokens.val.length,
      duplicates_removed: summary.duplicates_removed,
    },
    null,
  );
  const [problem] = problems;
  if (problem) throw new Error(`${problem.message} ${problem.hint}`);
}

function showProgress(detail: string, progress: number | null = null): void {
  port.emit({ type: 'phase', phase: 'preparing', detail, progress });
}

function plainError(error: unknown): PlainError {
  const code = 'stock_failed';
  if (error instanceof DataError) return { code, message: error.message, hint: error.hint };
  return { code, message: error instanceof Error ? error.message : String(error), hint: '' };
}
