/** `attention_documents` with dropout of the softmax weights, as in `attention_dropout`. */
import {
  defineOp,
  type HostTensor,
  type Hosts,
  type OpCase,
  type OpDefinition,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import type { AttentionDropoutAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { float16When, randomGradInputs, randomQkv } from './cases.ts';
import { documentStartsTensor, droppedDocumentShapes } from './document_cases.ts';
import { hostKeep, keepTensor } from './dropout_mask.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle, type OracleOptions } from './oracle.ts';
import { attentionGradOnProcessor, attentionOnProcessor } from './processor.ts';
import { attentionGradReference, attentionReference, type ReferenceOptions } from './reference.ts';
import {
  benchDocumentStarts,
  benchDropoutAttrs,
  benchFlops,
  benchGradInputs,
  benchQkv,
  benchRng,
} from './bench.ts';

type Masks = 'document_starts' | 'rng';
const oracleOptions = (masks: Hosts<Masks>, attrs: AttentionDropoutAttrs): OracleOptions => ({
  keep: hostKeep(masks.rng, attrs),
  document_starts: masks.document_starts,
});
const referenceOptions = (
  { rng, document_starts }: Tensors<Masks>,
  attrs: AttentionDropoutAttrs,
): ReferenceOptions => ({ keep: keepTensor(rng, attrs), document_starts });

type In = 'qkv' | Masks;
/**
 * qkv packed (heads/layout.ts) [B T, (n_head + 2 n_kv_head) head_dim], document_starts int32 [B T]
 * as in `attention_documents`, rng int32 [4] -> y [B T, n_head head_dim], lse [B, n_head, T] (of
 * the weights before dropout).
 */
export const attentionDocumentsDropout: OpDefinition<
  In,
  AttentionDropoutAttrs,
  'y' | 'lse',
  'qkv'
> = defineOp({
  name: 'attention_documents_dropout',
  inputs: ['qkv', 'document_starts', 'rng'],
  outputs: ['y', 'lse'],
  oracle: ({ qkv, ...masks }, attrs: AttentionDropoutAttrs) =>
    attentionOracle(qkv, attrs, oracleOptions(masks, attrs)),
  reference: ({ qkv, ...masks }, attrs) =>
    attentionReference(qkv, attrs, referenceOptions(masks, attrs)),
  kernel: ({ qkv, document_starts, rng }, attrs) =>
    attentionKernel(qkv, attrs, { drop: { ...attrs, rng }, document_starts }),
  processor: ({ qkv, document_starts, rng }, attrs) =>
    attentionOnProcessor(qkv, attrs, { drop: { ...attrs, rng }, document_starts }),
  float16: { inputs: ['qkv'], when: float16When },
  gradient: {
    saves: { inputs: ['qkv', 'document_starts', 'rng'], outputs: ['y', 'lse'] },
    from: ['y'],
    to: {
      qkv: ({ inputs, outputs, attrs, dy }) =>
        run(attentionDocumentsDropoutGrad, { ...inputs, ...outputs, dy: required(dy.y) }, attrs)
          .dqkv,
    },
  },
  bench: (sizes, inputs) => [
    {
      attrs: benchDropoutAttrs(sizes),
      inputs: {
        qkv: benchQkv(sizes, inputs),
        document_starts: benchDocumentStarts(sizes, inputs),
        rng: benchRng(inputs),
      },
      flops: benchFlops(sizes),
    },
  ],
  cases: droppedDocumentShapes.map((shape): OpCase<In, AttentionDropoutAttrs> => ({
    name: shape.name,
    attrs: shape.attrs,
    inputs: (random) => ({
      qkv: randomQkv(random, shape.attrs),
      document_starts: documentStartsTensor(random, shape),
      rng: random.values([4], shape.rng, 'int32'),
    }),
  })),
});

type GradIn = 'qkv' | 'y' | 'lse' | 'dy' | Masks;
/**
 * Gradient of `attention_documents_dropout`: its inputs, its outputs and dy -> dqkv, laid out as
 * qkv.
 */
export const attentionDocumentsDropoutGrad: OpDefinition<
  GradIn,
  AttentionDropoutAttrs,
  'dqkv',
  never
> = defineOp({
  name: 'attention_documents_dropout_grad',
  inputs: ['qkv', 'y', 'lse', 'dy', 'document_starts', 'rng'],
  outputs: ['dqkv'],
  oracle: ({ document_starts, rng, ...inputs }, attrs: AttentionDropoutAttrs) =>
    attentionGradOracle(inputs, attrs, oracleOptions({ document_starts, rng }, attrs)),
  reference: ({ document_starts, rng, ...inputs }, attrs) =>
    attentionGradReference(inputs, attrs, referenceOptions({ document_starts, rng }, attrs)),
  kernel: ({ document_starts, rng, ...inputs }, attrs) =>
    attentionGradKernel(inputs, attrs, { drop: { ...attrs, rng }, document_starts }),
  processor: ({ document_starts, rng, ...inputs }, attrs) =>
    attentionGradOnProcessor(inputs, attrs, { drop: { ...attrs, rng }, document_starts }),
  float16: { inputs: ['qkv', 'y', 'dy'], when: float16When },
  gradient: null,
  bench: (sizes, inputs) => [
    {
      attrs: benchDropoutAttrs(sizes),
      inputs: {
        ...benchGradInputs(sizes, inputs),
        document_starts: benchDocumentStarts(sizes, inputs),
        rng: benchRng(inputs),
      },
      flops: 2.5 * benchFlops(sizes),
    },
  ],
  cases: droppedDocumentShapes.map((shape): OpCase<GradIn, AttentionDropoutAttrs> => ({
    name: shape.name,
    attrs: shape.attrs,
    inputs: (random) => {
      const masks: Record<Masks, HostTensor> = {
        document_starts: documentStartsTensor(random, shape),
        rng: random.values([4], shape.rng, 'int32'),
      };
      const options = oracleOptions(masks, shape.attrs);
      return { ...randomGradInputs(random, shape.attrs, options), ...masks };
    },
  })),
});
