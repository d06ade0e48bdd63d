/** text.json: how the bytes of the user's own text in text.bin are read. */
import * as v from 'valibot';
import { TABLE_FORMATS, type OwnText } from '../common/index.ts';

const name = v.pipe(v.string(), v.maxLength(2000));
const length = v.pipe(v.number(), v.integer(), v.minValue(0));
const file = v.object({ name, bytes: length });

/** Earlier versions know `name`, `column` and `bytes`. */
const SavedTextSchema = v.object({
  name,
  bytes: length,
  files: v.optional(v.pipe(v.array(file), v.maxLength(10_000))),
  column: v.optional(name),
  format: v.optional(v.fallback(v.optional(v.picklist(TABLE_FORMATS)), undefined)),
  keep_repeats: v.optional(v.boolean()),
});

/** The content of text.json. */
export function textInfo({ replaced: _replaced, ...text }: OwnText): Record<string, unknown> {
  return { ...text, bytes: text.bytes.length };
}

/** Null unless `info` is a text.json of these bytes. */
export function parseText(info: unknown, bytes: Uint8Array): OwnText | null {
  const saved = v.safeParse(SavedTextSchema, info);
  if (!saved.success || bytes.length !== saved.output.bytes) return null;
  const { files } = saved.output;
  const parts = files?.reduce((sum, part) => sum + part.bytes, 0) ?? bytes.length;
  return parts === bytes.length ? { ...saved.output, bytes } : null;
}
