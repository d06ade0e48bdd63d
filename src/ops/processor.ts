/**
 * Implementations of the operations of `index.ts` on the processor. Loaded when the engine starts, so
 * that visitors whose browser has WebGPU do not download them.
 */
import './add/processor.ts';
import './attention/processor.ts';
import './cross_entropy/processor.ts';
import './dropout/processor.ts';
import './embedding/processor.ts';
import './glu/processor.ts';
import './head_cross_entropy/processor.ts';
import './layer_norm/processor.ts';
import './linear/processor.ts';
import './matmul/processor.ts';
import './mlp/processor.ts';
import './optimizer_update/processor.ts';
import './qk_norm/processor.ts';
import './rope/processor.ts';
import './step_sums/processor.ts';
