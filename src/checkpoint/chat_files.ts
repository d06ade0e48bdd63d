/**
 * What the files of a folder say about conversations: the chat template, and which tokens begin, end
 * and pad a text. Nothing here keeps a folder from being opened.
 */
import { CheckpointError } from './error.ts';
import { FILES, type Files } from './folder.ts';
import type { SpecialTokens } from './hf_config.ts';
import { isRecord, parseRecord, type JsonRecord } from './json.ts';
import type { TokenizerFacts } from './tokenizer_files.ts';

/** Longest chat template that is read, in bytes; those of large models take 20,000. */
const MAX_TEMPLATE = 2 ** 20;

export interface ChatFiles extends SpecialTokens {
  pad_token_id: number | null;
  chat_template: string | null;
  /** Sentences for the page about what could not be read. */
  notes: string[];
}

/**
 * Reads chat_template.jinja, or the key that transformers 4 wrote into tokenizer_config.json, and
 * the names of special tokens there. For a model with a template, its end token counts more than
 * config.json's, which often is the end of a document and not of a turn.
 *
 * @param config What config.json says.
 */
export function readChatFiles(
  files: Files,
  { added }: TokenizerFacts,
  config: SpecialTokens,
): ChatFiles {
  const notes: string[] = [];
  const settings = tokenizerSettings(files, notes);
  const chat_template = templateOf(files, settings, notes);
  const idOf = (name: string): number | null => {
    const content = contentOf(settings[name]);
    return [...added].find(([, text]) => text === content)?.[0] ?? null;
  };
  const ownEnd = config.eos_token_id ?? idOf('eos_token');
  return {
    chat_template,
    bos_token_id: config.bos_token_id ?? idOf('bos_token'),
    eos_token_id: chat_template === null ? config.eos_token_id : (idOf('eos_token') ?? ownEnd),
    pad_token_id: idOf('pad_token') ?? config.pad_token_id ?? null,
    notes,
  };
}

function tokenizerSettings(files: Files, notes: string[]): JsonRecord {
  const bytes = files.get(FILES.tokenizerConfig);
  if (!bytes) return {};
  try {
    return parseRecord(bytes, FILES.tokenizerConfig);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    notes.push(`${error.message} It was left out.`);
    return {};
  }
}

/** A token is written as its text or as an object with it. */
function contentOf(token: unknown): string | null {
  const content = isRecord(token) ? token.content : token;
  return typeof content === 'string' ? content : null;
}

function templateOf(files: Files, settings: JsonRecord, notes: string[]): string | null {
  const bytes = files.get(FILES.chatTemplate);
  const template = bytes ? new TextDecoder().decode(bytes) : legacyTemplate(settings.chat_template);
  if (template === null || template === '') return null;
  if (template.length <= MAX_TEMPLATE) return template;
  notes.push(`The chat template has ${template.length} characters and was left out.`);
  return null;
}

/** A template, or several with names, of which `default` is for plain conversations. */
function legacyTemplate(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  const named = value.filter(isRecord).find(({ name }) => name === 'default');
  return typeof named?.template === 'string' ? named.template : null;
}
