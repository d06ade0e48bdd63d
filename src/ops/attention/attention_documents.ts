/**
 * `attention` inside documents, for sequence packing: several documents share a row of the batch,
 * and no query attends to another document. Left padding is the same thing: the padding rows are
 * documents of their own. Positions are inputs of other operations (rope, position embeddings) and
 * have to restart with each document there.
 */
import { defineOp, type OpCase, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { usesSubgroups } from './attention.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionGradKernel } from './backward.ts';
import { float16When, randomGradInputs, randomQkv } from './cases.ts';
import { documentShapes, documentStartsTensor, longDocumentShapes } from './document_cases.ts';
import { attentionKernel } from './forward.ts';
import { attentionGradOracle, attentionOracle } from './oracle.ts';
import { attentionGradOnProcessor, attentionOnProcessor } from './processor.ts';
import { attentionGradReference, attentionReference } from './reference.ts';
import { attentionGradSubgroupKernel, attentionSubgroupKernel } from './subgroup_kernels.ts';
import { benchAttrs, benchDocumentStarts, benchFlops, benchGradInputs, benchQkv } from './bench.ts';

type In = 'qkv' | 'document_starts';
/**
 * qkv packed (heads/layout.ts) [B T, (n_head + 2 n_kv_head) head_dim], document_starts int32 [B T]
 * -> y [B T, n_head head_dim], lse [B, n_head, T].
 *
 * document_starts has, for each row, the first row of its document within the sequence
 * (`documentStartsOf`): query i attends to the keys j with document_starts[i] <= j <= i inside the
 * window. Starts must be in [0, i] and must not decrease along a sequence, which the GPU does not
 * check.
 */
export const attentionDocuments: OpDefinition<In, AttentionAttrs, 'y' | 'lse', 'qkv'> = defineOp({
  name: 'attention_documents',
  inputs: ['qkv', 'document_starts'],
  outputs: ['y', 'lse'],
  oracle: ({ qkv, document_starts }, attrs: AttentionAttrs) =>
    attentionOracle(qkv, attrs, { document_starts }),
  reference: ({ qkv, document_starts }, attrs) =>
    attentionReference(qkv, attrs, { document_starts }),
  kernel: ({ qkv, document_starts }, attrs) =>
    usesSubgroups(attrs, qkv)
      ? attentionSubgroupKernel(qkv, attrs, { document_starts })
      : attentionKernel(qkv, attrs, { document_starts }),
  processor: ({ qkv, document_starts }, attrs) =>
    attentionOnProcessor(qkv, attrs, { document_starts }),
  float16: { inputs: ['qkv'], when: float16When },
  gradient: {
    saves: { inputs: ['qkv', 'document_starts'], outputs: ['y', 'lse'] },
    from: ['y'],
    to: {
      qkv: ({ inputs: { qkv, document_starts }, outputs: { y, lse }, attrs, dy }) =>
        run(attentionDocumentsGrad, { qkv, y, lse, dy: required(dy.y), document_starts }, attrs)
          .dqkv,
    },
  },
  bench: (sizes, inputs) => [
    {
      attrs: benchAttrs(sizes),
      inputs: { qkv: benchQkv(sizes, inputs), document_starts: benchDocumentStarts(sizes, inputs) },
      flops: benchFlops(sizes),
    },
  ],
  cases: documentShapes.map((shape): OpCase<In, AttentionAttrs> => ({
    name: shape.name,
    attrs: shape.attrs,
    inputs: (random) => ({
      qkv: randomQkv(random, shape.attrs),
      document_starts: documentStartsTensor(random, shape),
    }),
  })),
});

type GradIn = 'qkv' | 'y' | 'lse' | 'dy' | 'document_starts';
/** Gradient of `attention_documents`: its inputs, its outputs and dy -> dqkv, laid out as qkv. */
export const attentionDocumentsGrad: OpDefinition<GradIn, AttentionAttrs, 'dqkv', never> = defineOp(
  {
    name: 'attention_documents_grad',
    inputs: ['qkv', 'y', 'lse', 'dy', 'document_starts'],
    outputs: ['dqkv'],
    oracle: ({ document_starts, ...inputs }, attrs: AttentionAttrs) =>
      attentionGradOracle(inputs, attrs, { document_starts }),
    reference: ({ document_starts, ...inputs }, attrs) =>
      attentionGradReference(inputs, attrs, { document_starts }),
    kernel: ({ document_starts, ...inputs }, attrs) =>
      usesSubgroups(attrs, inputs.qkv, inputs.y, inputs.dy)
        ? attentionGradSubgroupKernel(inputs, attrs, { document_starts })
        : attentionGradKernel(inputs, attrs, { document_starts }),
    processor: ({ document_starts, ...inputs }, attrs) =>
      attentionGradOnProcessor(inputs, attrs, { document_starts }),
    float16: { inputs: ['qkv', 'y', 'dy'], when: float16When },
    gradient: null,
    bench: (sizes, inputs) => [
      {
        attrs: benchAttrs(sizes),
        inputs: {
          ...benchGradInputs(sizes, inputs),
          document_starts: benchDocumentStarts(sizes, inputs),
        },
        flops: 2.5 * benchFlops(sizes),
      },
    ],
    cases: [...documentShapes, ...longDocumentShapes].map(
      (shape): OpCase<GradIn, AttentionAttrs> => ({
        name: shape.name,
        attrs: shape.attrs,
        inputs: (random) => {
          const document_starts = documentStartsTensor(random, shape);
          return {
            ...randomGradInputs(random, shape.attrs, { document_starts }),
            document_starts,
          };
        },
      }),
    ),
  },
);
