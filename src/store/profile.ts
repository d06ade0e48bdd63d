/** The profile of a step: where its GPU time goes, as the page says it. */
import { createStore } from 'zustand/vanilla';
import type { Event, KernelKind, StepProfile } from '../protocol/index.ts';
import { count, measure, percent } from './format.ts';

export interface ProfileState {
  running: boolean;
  profile: StepProfile | null;
  /** Why there is none although it was requested, one sentence. */
  why: string;
}
export const initialProfile: ProfileState = { running: false, profile: null, why: '' };
export const createProfile = () => createStore<ProfileState>(() => initialProfile);

export const reduceProfile = (event: Event): Partial<ProfileState> =>
  event.type === 'profile' ? { running: false, profile: event.profile, why: event.why } : {};

const TITLES: Record<KernelKind, string> = {
  products: 'Matrix products',
  attention: 'Attention',
  norms: 'Norms',
  cross_entropy: 'Cross-entropy',
  optimizer: 'Optimizer',
  other: 'Embeddings, activations, dropout',
};

export interface ProfileRow {
  kind: KernelKind;
  title: string;
  /** Of the GPU time of all kinds. */
  share: number;
  micros: string;
  dispatches: string;
  /**
   * Floating-point operations a second, and their share of the peak; empty for what is no product.
   */
  rate: string;
  of_peak: string;
}

const gpuMs = (profile: StepProfile): number =>
  (profile.kinds ?? []).reduce((sum, one) => sum + one.ms, 0);
const rateOf = (one: { ms: number; flops: number | null }): number =>
  one.flops !== null && one.ms > 0 ? (1000 * one.flops) / one.ms : NaN;
/** 12.3 TFLOP/s, 812 GFLOP/s, 15.7 MFLOP/s */
export function flopRate(perSecond: number): string {
  if (perSecond >= 1e12) return `${measure(perSecond / 1e12)} TFLOP/s`;
  return perSecond >= 1e9
    ? `${measure(perSecond / 1e9)} GFLOP/s`
    : `${measure(perSecond / 1e6)} MFLOP/s`;
}

/** A row a kind, the longest first. */
export function profileRows(profile: StepProfile): ProfileRow[] {
  const total = gpuMs(profile);
  const { peak } = profile;
  return (profile.kinds ?? []).map((one) => {
    const rate = rateOf(one);
    return {
      kind: one.kind,
      title: TITLES[one.kind],
      share: total > 0 ? one.ms / total : 0,
      micros: count(1000 * one.ms),
      dispatches: count(one.dispatches),
      rate: Number.isFinite(rate) ? flopRate(rate) : '',
      of_peak: Number.isFinite(rate) && peak ? percent(rate / peak.flops_per_second) : '',
    };
  });
}

/** Two sentences: how long a step takes, what takes most of it, and how fast its matmuls are. */
export function profileSentence(profile: StepProfile): string {
  const step = `A step takes ${measure(profile.step_ms)} ms.`;
  const [largest] = profileRows(profile);
  if (!largest) return step;
  const takes = /s$|, /u.test(largest.title) ? 'take' : 'takes';
  const share = percent(largest.share);
  const most = `${largest.title} ${takes} the most of it: ${share} of the time of all kernels.`;
  return [step, most, ...matmulSentence(profile)].join(' ');
}

/** How the rate of the matmuls compares with the device's peak, if both were measured. */
function matmulSentence({ kinds, peak }: StepProfile): string[] {
  const products = kinds?.find((one) => one.kind === 'products');
  const rate = products ? rateOf(products) : NaN;
  if (!Number.isFinite(rate) || !peak) return [];
  const { flops_per_second, size } = peak;
  const share = `${percent(rate / flops_per_second)} of the ${flopRate(flops_per_second)}`;
  const square = `${count(size)} × ${count(size)}`;
  return [
    `Its products run at ${flopRate(rate)}, ${share} that a product of ${square} reaches here.`,
  ];
}
