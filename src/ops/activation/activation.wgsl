// Value and derivative of GELU (0, tanh approximation), squared ReLU (1), SiLU (2) and exact GELU (3). `Value` is
// f32 or vec4f.
override ACTIVATION: u32 = 0u;
const GELU_SCALE = 0.7978845608028654; // sqrt(2 / pi)
const GELU_CUBE = 0.044715;

// Clamps the argument so that exp does not overflow.
fn sigmoid(u: Value) -> Value { return 1.0 / (1.0 + exp(clamp(-u, Value(-80.0), Value(80.0)))); }
// (1 + tanh(z)) / 2 = sigmoid(2 z): takes one exp, and does not cancel where tanh is near -1.
fn gelu_sigmoid(u: Value) -> Value {
  return sigmoid(2.0 * GELU_SCALE * (u + GELU_CUBE * u * u * u));
}

// 1 - Phi(|u|) = erfc(|u| / sqrt(2)) / 2, with a relative error below 2e-7 (`erfcc` of Numerical
// Recipes).
fn normal_tail(u: Value) -> Value {
  let z = abs(u) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.5 * z);
  var p = Value(0.17087277);
  p = p * t - 0.82215223;
  p = p * t + 1.48851587;
  p = p * t - 1.13520398;
  p = p * t + 0.27886807;
  p = p * t - 0.18628806;
  p = p * t + 0.09678418;
  p = p * t + 0.37409196;
  p = p * t + 1.00002368;
  p = p * t - 1.26551223;
  return 0.5 * t * exp(max(p - z * z, Value(-80.0)));
}

fn value_at(u: Value) -> Value {
  switch (ACTIVATION) {
    case 1u: { return max(u, Value()) * max(u, Value()); }
    case 2u: { return u * sigmoid(u); }
    case 3u: { return max(u, Value()) - abs(u) * normal_tail(u); }
    default: { return u * gelu_sigmoid(u); }
  }
}

fn derivative_at(u: Value) -> Value {
  switch (ACTIVATION) {
    case 1u: { return 2.0 * max(u, Value()); }
    case 2u: {
      let s = sigmoid(u);
      return s * (1.0 + u * (1.0 - s));
    }
    case 3u: {
      let phi = 0.5 + sign(u) * (0.5 - normal_tail(u));
      return phi + u * 0.3989422804014327 * exp(max(-0.5 * u * u, Value(-80.0)));
    }
    default: {
      let s = gelu_sigmoid(u);
      return s + 2.0 * GELU_SCALE * u * s * (1.0 - s) * (1.0 + 3.0 * GELU_CUBE * u * u);
    }
  }
}
