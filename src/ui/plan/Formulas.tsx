/** The formulas of the planner with the papers that they come from. */
import { Formula } from '../stages/train/Formula.tsx';

interface Rule {
  title: string;
  tex: string;
  /** What the symbols mean, and what the planner makes of it. */
  words: string;
  source: string;
}

const RULES: readonly Rule[] = [
  {
    title: 'Memory of weights, gradients and optimizer',
    tex: '2 + 2 + 12 \\;\\to\\; 4 + \\tfrac{12}{N}, \\quad 2 + \\tfrac{14}{N}, \\quad \\tfrac{16}{N}',
    words:
      'Bytes a parameter of mixed-precision AdamW on N data-parallel ranks: without ZeRO, then with ' +
      'ZeRO-1, 2 and 3. In float32 it is 4 + 4 + 8.',
    source: 'Rajbhandari et al. 2020, ZeRO, section 3',
  },
  {
    title: 'Activations of a layer',
    tex: 's\\,b\\,h\\Big(10 + \\frac{24}{t} + 5\\,\\frac{a\\,s}{h\\,t}\\Big)',
    words:
      'Bytes of a GPT layer in 16 bits with dropout: s tokens, b sequences, width h, a heads, t ' +
      'tensor-parallel ranks. Selective recomputation leaves out the last term, full recomputation ' +
      'keeps 2sbh. Other architectures are counted tensor by tensor in the same way.',
    source: 'Korthikanti et al. 2022, Reducing Activation Recomputation, equations 1 to 4',
  },
  {
    title: 'Activations in flight',
    tex: '\\text{GPipe: } m, \\quad \\text{1F1B: } p - i, \\quad \\text{interleaved: } p + \\frac{p - 1}{v}',
    words:
      'Micro-batches whose activations stage i (from 0) of p holds, of m; for the interleaved ' +
      'schedule with v chunks, the first stage.',
    source: 'Huang et al. 2019, GPipe; Narayanan et al. 2019, PipeDream; Narayanan et al. 2021',
  },
  {
    title: 'Bubble',
    tex: '\\frac{p - 1}{v\\,m + p - 1}',
    words: 'Share of a step in which a rank waits: p stages, m micro-batches, v chunks a stage.',
    source: 'Narayanan et al. 2021, Efficient Large-Scale Training on GPU Clusters, section 2.2',
  },
  {
    title: 'Bytes that a rank sends',
    tex: '\\text{all-reduce: } 2\\,\\frac{N-1}{N}\\,B, \\quad \\text{reduce-scatter, all-gather: } \\frac{N-1}{N}\\,B',
    words:
      'Of a tensor of B bytes on a ring of N ranks. DP and ZeRO-1 send 2 (N-1)/N of the gradients a ' +
      'step. ZeRO-3 sends half as much again, because it gathers the parameters twice; it and ZeRO-2 ' +
      'reduce gradients after each micro-batch.',
    source: 'Patarasuk and Yuan 2009; Rajbhandari et al. 2020, section 7',
  },
  {
    title: 'Tensor parallelism',
    tex: '4 \\cdot 2\\,\\frac{t-1}{t}\\, s\\,b\\,h',
    words:
      'Values that a rank sends for each layer and micro-batch: two all-reduces forward and two ' +
      'backward, and two more if blocks are recomputed.',
    source: 'Shoeybi et al. 2019, Megatron-LM, section 3',
  },
  {
    title: 'FLOPs of a token',
    tex: '6\\,P + 12\\, L\\, a\\, d_{\\text{head}}\\, s',
    words:
      'P weights of matmuls, L layers; recomputing every block adds a third of the FLOPs of blocks.',
    source: 'Chowdhery et al. 2022, PaLM, appendix B',
  },
];

export function Formulas() {
  return (
    <details className="plan-formulas">
      <summary>Formulas and their sources</summary>
      {RULES.map(({ title, tex, words, source }) => (
        <section key={title}>
          <h3>{title}</h3>
          <Formula tex={tex} display />
          <p>{words}</p>
          <p className="small muted">{source}</p>
        </section>
      ))}
    </details>
  );
}
