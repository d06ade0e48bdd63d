/** Each kind of parallelism in a few sentences, with its formula and where it comes from. */
import type { Mesh } from '../../plan/parallel/index.ts';
import { Formula } from '../stages/train/Formula.tsx';

interface Lesson {
  title: string;
  /** Whether a mesh uses it. */
  isUsed: (mesh: Mesh) => boolean;
  words: string;
  tex: string;
  symbols: string;
  look: string;
  source: string;
}

const LESSONS: readonly Lesson[] = [
  {
    title: 'Data parallelism (DP)',
    isUsed: ({ dp, zero_stage }) => dp > 1 && zero_stage === 0,
    words:
      'Every rank has the whole model and its own rows of the batch. The gradients are added up ' +
      'among all ranks, so each takes the same step as one rank with the whole batch would.',
    tex: '2\\,\\frac{N-1}{N}\\,G',
    symbols:
      'Bytes that a rank sends in a step: N ranks, G bytes of gradients. Each 1 MiB of them is sent ' +
      'as a bucket while the backward pass still goes on; a smaller model sends all at the end. Of ' +
      'k equal buckets the pass can hide k − 1.',
    look:
      'Make the model wide and look for communication during the pass. Make one rank slow: all ' +
      'others wait for it, in every step.',
    source: 'Li et al. 2020, PyTorch Distributed; Patarasuk and Yuan 2009, ring all-reduce',
  },
  {
    title: 'ZeRO (FSDP)',
    isUsed: ({ dp, zero_stage }) => dp > 1 && zero_stage > 0,
    words:
      'DP keeps N copies of everything. ZeRO-1 gives each rank one part of the moments, ZeRO-2 of ' +
      'the gradients too, ZeRO-3 of the weights too: a layer is gathered just before it computes, ' +
      'and dropped again. The step stays the same, bit for bit.',
    tex: '4 + 4 + 8 \\;\\to\\; 8 + \\tfrac{8}{N}, \\quad 4 + \\tfrac{12}{N}, \\quad \\tfrac{16}{N}',
    symbols:
      'Bytes a parameter in float32 with AdamW: without ZeRO, then with ZeRO-1, 2 and 3. ZeRO-3 ' +
      'sends half as much again as DP, because it gathers weights in both passes.',
    look: 'Compare the bars of memory of two stages, and what they send.',
    source: 'Rajbhandari et al. 2020, ZeRO; Zhao et al. 2023, PyTorch FSDP',
  },
  {
    title: 'Tensor parallelism (TP)',
    isUsed: ({ tp }) => tp > 1,
    words:
      'Each rank has some heads, some columns of the feed-forward and some tokens of the ' +
      'vocabulary. The first matrix of a half-block is cut by columns, the second by rows, so one ' +
      'all-reduce after the second one is enough.',
    tex: 'Y = \\sum_i f(X A_i)\\,B_i, \\qquad 4 \\cdot 2\\,\\frac{t-1}{t}\\,s\\,b\\,h',
    symbols:
      'Rank i of t has the columns A_i and the rows B_i. To the right, the values that a rank sends ' +
      'for each layer: s tokens, b sequences, width h.',
    look:
      'Nothing hides these collectives: a rank waits for the others twice a layer in each forward ' +
      'pass, and twice in each backward pass.',
    source: 'Shoeybi et al. 2019, Megatron-LM, section 3',
  },
  {
    title: 'Pipeline parallelism (PP)',
    isUsed: ({ pp }) => pp > 1,
    words:
      'Each stage has some of the layers and hands activations on. The batch is cut into ' +
      'micro-batches, so that stages work at the same time; at the beginning and at the end of a ' +
      'step some have nothing to do: the bubble.',
    tex: '\\frac{p-1}{m+p-1}, \\qquad \\text{interleaved: } \\frac{p-1}{v\\,m+p-1}',
    symbols:
      'Share of a step that is bubble: p stages, m micro-batches, v chunks of layers on a stage. ' +
      'GPipe keeps the activations of m micro-batches, 1F1B of p at most.',
    look: 'Double the micro-batches and see the bubble shrink; then make one stage slow.',
    source:
      'Huang et al. 2019, GPipe; Narayanan et al. 2019, PipeDream; Narayanan et al. 2021, Megatron-LM',
  },
];

export function Lessons({ mesh }: { mesh: Mesh }) {
  return (
    <section className="lab-lessons" aria-label="How it works">
      <h2>How it works</h2>
      {LESSONS.map((lesson) => (
        <LessonPart key={`${lesson.title} ${lesson.isUsed(mesh)}`} lesson={lesson} mesh={mesh} />
      ))}
    </section>
  );
}

/** Open if the mesh uses what it is about. */
function LessonPart({ lesson, mesh }: { lesson: Lesson; mesh: Mesh }) {
  return (
    <details className="plan-formulas" open={lesson.isUsed(mesh)}>
      <summary>{lesson.title}</summary>
      <section>
        <p>{lesson.words}</p>
        <Formula tex={lesson.tex} display />
        <p className="small">{lesson.symbols}</p>
        <p className="small">{lesson.look}</p>
        <p className="small muted">{lesson.source}</p>
      </section>
    </details>
  );
}
