/** The sum of two tensors on the processor (assembly/add.ts). */
import { output, runOnProcessor } from '../../backend/index.ts';
import { implement } from '../define.ts';
import { add } from './add.ts';

implement(add, ({ a, b }) => {
  const sum = output(a.shape);
  runOnProcessor({ kernel: 'add', writes: [sum], reads: [a, b], params: [['i32', sum.size]] });
  return { sum };
});
