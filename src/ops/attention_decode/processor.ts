/** Attention over a KV cache on the processor (`assembly/attention_decode.ts`). */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, runOnProcessor } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { columns, type Heads } from '../heads/layout.ts';

/** Fewer heads than this are cut into parts of the cache, so that every thread has work. */
const FEW_HEADS = 8;
/** Keys of a part. */
const PART_KEYS = 256;

/** y [B, n_head head_dim]; writes the new rows into the cache in place. */
export function attentionDecodeOnProcessor(
  { qkv, cache, positions }: Tensors<'qkv' | 'cache' | 'positions'>,
  attrs: Heads & { B: number; T_max: number; window: number },
): Tensor {
  const { B, T_max, n_head, n_kv_head, head_dim, window } = attrs;
  const y = output([B, columns(attrs).q]);
  const isCut = B * n_kv_head < FEW_HEADS && T_max > PART_KEYS;
  const keys = isCut ? PART_KEYS : T_max;
  const partials = isCut ? output([B * n_head, Math.ceil(T_max / keys), head_dim + 2]) : null;
  runOnProcessor({
    kernel: partials ? 'attention_decode_parts' : 'attention_decode',
    writes: partials ? [y, partials] : [y],
    updates: [cache],
    reads: [qkv, positions],
    params: [
      ['i32', B],
      ['i32', n_head],
      ['i32', n_kv_head],
      ['i32', head_dim],
      ['i32', T_max],
      ['i32', window],
      ['f32', 1 / Math.sqrt(head_dim)],
      ['i32', keys],
    ],
  });
  partials?.dispose();
  return y;
}
