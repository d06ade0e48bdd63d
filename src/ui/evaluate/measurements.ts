/** What an evaluation can measure, in words. */
import type { Measurement } from '../../store/stages/evaluations.ts';

export interface MeasurementLabel {
  what: Measurement;
  label: string;
  help: string;
}

export const MEASUREMENT_LABELS: readonly MeasurementLabel[] = [
  {
    what: 'answers',
    label: 'Right answers',
    help: 'Exact match, constraints, form and end of the likeliest answer to each question.',
  },
  {
    what: 'pass_at_k',
    label: 'pass@k',
    help: 'The chance that one of k sampled answers is right.',
  },
  {
    what: 'choices',
    label: 'Multiple choice',
    help: 'Whether the right choice has the highest log-likelihood.',
  },
  { what: 'rewards', label: 'Rewards', help: 'Mean true and learned reward of sampled answers.' },
  {
    what: 'win_rate',
    label: 'Win rate over the parent',
    help: 'How often an answer has a higher true reward than the parent’s; ties count a half.',
  },
  { what: 'kl', label: 'KL from the parent', help: 'How far the answers moved from the parent.' },
  {
    what: 'bits_per_byte',
    label: 'Bits per byte',
    help: 'Bits for a byte of the text that the base model was validated on.',
  },
];
