/** Prepares the examples of a stage after pretraining, and the summary that the page shows. */
import type { DataSummary } from '../common/index.ts';
import { bytesPerToken, memorizationIndex, type StageData } from '../data/index.ts';
import { prepareStage } from '../data/stages/prepare.ts';
import type { PreparedText, PrepareOptions, StageSource } from './prepared_text.ts';

/** @throws DataError */
export async function prepareStageText(
  source: StageSource,
  { progress, text, tokenizer }: PrepareOptions,
): Promise<PreparedText> {
  const { config, needs, chat_template, special, block_size, votes, parent_run } = source;
  if (!tokenizer || needs === 'text') throw new Error('A stage needs the tokenizer of its parent.');
  progress('Preparing the examples.', null);
  const own = text ? { name: text.name, bytes: text.bytes } : undefined;
  const data = await prepareStage({
    stage: config,
    needs,
    tokenizer,
    chat_template,
    tokens: special,
    block_size,
    own,
    votes,
    parent_run,
  });
  const name = own?.name ?? config.dataset.task;
  return {
    tokenizer: data.chat.tokenizer,
    tokens: {
      train: new Int32Array(0),
      val: new Int32Array(0),
      bytes_per_token: bytesPerToken(data.chat.tokenizer),
    },
    summary: summaryOf(data, needs, name),
    separator: '\n',
    by_document: true,
    knows_end_of_text: true,
    memorized: memorizationIndex({ train: [], separator: '\n' }),
    text: text ?? null,
    stage: { config, data },
  };
}

/** Documents are examples, pairs or prompts; tokens are those that the loss counts. */
function summaryOf(
  data: StageData,
  needs: 'examples' | 'pairs' | 'prompts',
  name: string,
): DataSummary {
  const sides = data[needs];
  const { tokenizer } = data.chat;
  const sequences = (side: 'train' | 'val'): Int32Array[] => {
    const pairs = data.pairs[side].flatMap(({ chosen, rejected }) => [chosen.ids, rejected.ids]);
    const others = needs === 'pairs' ? [] : data[needs][side].map(({ ids }) => ids);
    return needs === 'pairs' ? pairs : others;
  };
  const train = sequences('train');
  const val = sequences('val');
  const sample = train.slice(0, 4).map((ids) => tokenizer.decode(ids));
  const characters = (all: readonly Int32Array[]) =>
    all.reduce((sum, ids) => sum + tokenizer.decode(ids).length, 0);
  const tokens = (all: readonly Int32Array[]) => all.reduce((sum, { length }) => sum + length, 0);
  const length = characters(train) + characters(val);
  return {
    name,
    source: 'Examples of a stage',
    documents: sides.train.length + sides.val.length,
    duplicates_removed: 0,
    bytes: length,
    characters: length,
    train_documents: sides.train.length,
    val_documents: sides.val.length,
    train_tokens: tokens(train),
    val_tokens: tokens(val),
    vocab_size: tokenizer.vocab_size,
    tokenizer_kind: tokenizer.kind,
    sample: sample.join('\n\n'),
    table: null,
    notes: [...data.notes],
    uniform_loss: Math.log(tokenizer.vocab_size),
    bigram_loss: null,
  };
}
