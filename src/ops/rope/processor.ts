/** Rotary position embedding on the processor (assembly/rope.ts). */
import { output, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { columns } from '../heads/layout.ts';
import { dims2 } from '../host.ts';
import { rope } from './rope.ts';

implement(rope, ({ qkv, positions, table }, attrs) => {
  const [n, width] = dims2(qkv.shape);
  const y = output(qkv.shape);
  runOnProcessor({
    kernel: 'rope',
    writes: [y],
    reads: [qkv, positions, table],
    params: [
      ['i32', n],
      ['i32', width],
      ['i32', columns(attrs).v0],
      ['i32', attrs.head_dim],
      ['f32', attrs.inverse ? -1 : 1],
    ],
  });
  return { y };
});
