// What the loss and its gradient share. Indices of PREFERENCE_LOSSES (losses.ts).
const IPO = 1u;
const HINGE = 2u;
const ROBUST = 3u;
const SIGMOID_NORM = 4u;
struct Params { pairs: u32, kind: u32, beta: f32, smoothing: f32 }

// log(1 + exp(x)) without overflow.
fn softplus(x: f32) -> f32 { return max(x, 0.0) + log(1.0 + exp(-abs(x))); }
fn sigmoid(x: f32) -> f32 { return 1.0 / (1.0 + exp(-x)); }

// What a log-ratio is divided by: the tokens of the answer, or 1.
fn divisor(kind: u32, count: f32) -> f32 {
  return select(1.0, max(count, 1.0), kind == IPO || kind == SIGMOID_NORM);
}
