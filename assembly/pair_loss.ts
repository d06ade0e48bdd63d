/** The losses of preference pairs, for reward models and DPO. Batches have few pairs. */
import { addressOf, floatAt, intAt, pointerAt } from './inlined/args';
import { exp1 } from './inlined/simd';
import { logarithm } from './logarithm';
import { claim } from './threads';

/** log(1 + e^x) without overflow. */
function softplus(x: f32): f32 {
  return max<f32>(x, 0) + <f32>logarithm(1 + <f64>exp1(-abs<f32>(x)));
}

/** 1 / (1 + e^-x). */
function sigmoid(x: f32): f32 {
  return 1 / (1 + exp1(-x));
}

/**
 * loss [pairs], statistics [pairs, 6] (loss, accuracy, margin, mean, least and greatest score);
 * scores [2 pairs], chosen and rejected in turn, margins [pairs]; pairs, centring coefficient.
 */
export function pair_loss(args: usize): void {
  if (claim() != 0) return;
  const losses = pointerAt(args, 0);
  const statistics = pointerAt(args, 1);
  const scores = pointerAt(args, 2);
  const margins = pointerAt(args, 3);
  const pairs = intAt(args, 4);
  const centring = floatAt(args, 5);
  let least: f32 = Infinity;
  let greatest: f32 = -Infinity;
  for (let i = 0; i < 2 * pairs; i++) {
    const score = load<f32>(addressOf(scores, i));
    least = min<f32>(least, score);
    greatest = max<f32>(greatest, score);
  }
  for (let pair = 0; pair < pairs; pair++) {
    const chosen = load<f32>(addressOf(scores, 2 * pair));
    const rejected = load<f32>(addressOf(scores, 2 * pair + 1));
    const gap = chosen - rejected;
    const total = chosen + rejected;
    const wanted = load<f32>(addressOf(margins, pair));
    const loss = softplus(wanted - gap) + centring * total * total;
    store<f32>(addressOf(losses, pair), loss);
    const columns = addressOf(statistics, 6 * pair);
    store<f32>(columns, loss);
    store<f32>(columns, gap > 0 ? 1 : 0, 4);
    store<f32>(columns, gap, 8);
    store<f32>(columns, 0.5 * total, 12);
    store<f32>(columns, least, 16);
    store<f32>(columns, greatest, 20);
  }
}

/** dscores [2 pairs]; scores [2 pairs], margins, dy [pairs]; pairs, centring coefficient. */
export function pair_loss_gradient(args: usize): void {
  if (claim() != 0) return;
  const dscores = pointerAt(args, 0);
  const scores = pointerAt(args, 1);
  const margins = pointerAt(args, 2);
  const dy = pointerAt(args, 3);
  const pairs = intAt(args, 4);
  const centring = floatAt(args, 5);
  for (let pair = 0; pair < pairs; pair++) {
    const chosen = load<f32>(addressOf(scores, 2 * pair));
    const rejected = load<f32>(addressOf(scores, 2 * pair + 1));
    const slope = sigmoid(load<f32>(addressOf(margins, pair)) - (chosen - rejected));
    const pull: f32 = 2 * centring * (chosen + rejected);
    const factor = load<f32>(addressOf(dy, pair));
    store<f32>(addressOf(dscores, 2 * pair), factor * (pull - slope));
    store<f32>(addressOf(dscores, 2 * pair + 1), factor * (pull + slope));
  }
}

// Indices of PREFERENCE_LOSSES in src/ops/preference_loss/losses.ts.
const IPO: i32 = 1;
const HINGE: i32 = 2;
const ROBUST: i32 = 3;
const SIGMOID_NORM: i32 = 4;

/** Whether a loss compares means over tokens, not sums. */
function averages(kind: i32): bool {
  return kind == IPO || kind == SIGMOID_NORM;
}

/** What a log-ratio is divided by: the tokens of the answer, or 1. */
function divisor(kind: i32, counts: usize, row: i32): f32 {
  return averages(kind) ? max<f32>(load<f32>(addressOf(counts, row)), 1) : 1;
}

/** The loss of a difference of log-ratios. */
function lossOf(kind: i32, difference: f32, beta: f32, smoothing: f32): f32 {
  const x = beta * difference;
  if (kind == HINGE) return max<f32>(1 - x, 0);
  if (kind == IPO) {
    const gap: f32 = difference - <f32>0.5 / beta;
    return gap * gap;
  }
  if (kind == ROBUST)
    return ((1 - smoothing) * softplus(-x) - smoothing * softplus(x)) / (1 - 2 * smoothing);
  return softplus(-x);
}

/** The derivative of `lossOf` by the difference. */
function slopeOf(kind: i32, difference: f32, beta: f32, smoothing: f32): f32 {
  const x = beta * difference;
  if (kind == HINGE) return x < 1 ? -beta : 0;
  if (kind == IPO) return 2 * (difference - <f32>0.5 / beta);
  if (kind == ROBUST) {
    const both: f32 = (1 - smoothing) * sigmoid(-x) + smoothing * sigmoid(x);
    return (-beta * both) / (1 - 2 * smoothing);
  }
  return -beta * sigmoid(-x);
}

/**
 * loss [pairs], statistics [pairs, 7] (loss, reward of chosen and rejected, their margin, accuracy,
 * log-probability of chosen and rejected); nlls, ref_logps, counts [2 pairs], sft_weights [pairs];
 * pairs, kind of loss, beta, label smoothing.
 */
export function preference_loss(args: usize): void {
  if (claim() != 0) return;
  const losses = pointerAt(args, 0);
  const statistics = pointerAt(args, 1);
  const nlls = pointerAt(args, 2);
  const references = pointerAt(args, 3);
  const counts = pointerAt(args, 4);
  const sftWeights = pointerAt(args, 5);
  const pairs = intAt(args, 6);
  const kind = intAt(args, 7);
  const beta = floatAt(args, 8);
  const smoothing = floatAt(args, 9);
  for (let pair = 0; pair < pairs; pair++) {
    const first = 2 * pair;
    const chosenLogp = -load<f32>(addressOf(nlls, first));
    const rejectedLogp = -load<f32>(addressOf(nlls, first + 1));
    const chosen = chosenLogp - load<f32>(addressOf(references, first));
    const rejected = rejectedLogp - load<f32>(addressOf(references, first + 1));
    const difference =
      chosen / divisor(kind, counts, first) - rejected / divisor(kind, counts, first + 1);
    const sft = load<f32>(addressOf(sftWeights, pair)) * chosenLogp;
    const loss = lossOf(kind, difference, beta, smoothing) - sft;
    store<f32>(addressOf(losses, pair), loss);
    const columns = addressOf(statistics, 7 * pair);
    store<f32>(columns, loss);
    store<f32>(columns, beta * chosen, 4);
    store<f32>(columns, beta * rejected, 8);
    store<f32>(columns, beta * (chosen - rejected), 12);
    store<f32>(columns, chosen > rejected ? 1 : 0, 16);
    store<f32>(columns, chosenLogp, 20);
    store<f32>(columns, rejectedLogp, 24);
  }
}

/**
 * dnlls [2 pairs]; nlls, ref_logps, counts [2 pairs], sft_weights, dy [pairs]; pairs, kind of loss,
 * beta, label smoothing.
 */
export function preference_loss_gradient(args: usize): void {
  if (claim() != 0) return;
  const dnlls = pointerAt(args, 0);
  const nlls = pointerAt(args, 1);
  const references = pointerAt(args, 2);
  const counts = pointerAt(args, 3);
  const sftWeights = pointerAt(args, 4);
  const dy = pointerAt(args, 5);
  const pairs = intAt(args, 6);
  const kind = intAt(args, 7);
  const beta = floatAt(args, 8);
  const smoothing = floatAt(args, 9);
  for (let pair = 0; pair < pairs; pair++) {
    const first = addressOf(nlls, 2 * pair);
    const reference = addressOf(references, 2 * pair);
    const chosenTokens = divisor(kind, counts, 2 * pair);
    const rejectedTokens = divisor(kind, counts, 2 * pair + 1);
    const chosen = (-load<f32>(first) - load<f32>(reference)) / chosenTokens;
    const rejected = (-load<f32>(first, 4) - load<f32>(reference, 4)) / rejectedTokens;
    const slope = slopeOf(kind, chosen - rejected, beta, smoothing);
    const sft = load<f32>(addressOf(sftWeights, pair));
    const factor = load<f32>(addressOf(dy, pair));
    store<f32>(addressOf(dnlls, 2 * pair), factor * (sft - slope / chosenTokens));
    store<f32>(addressOf(dnlls, 2 * pair), (factor * slope) / rejectedTokens, 4);
  }
}
