// Value and derivative of GELU (0, tanh approximation), squared ReLU (1) and SiLU (2). `Value` is
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

fn value_at(u: Value) -> Value {
  switch (ACTIVATION) {
    case 1u: { return max(u, Value()) * max(u, Value()); }
    case 2u: { return u * sigmoid(u); }
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
    default: {
      let s = gelu_sigmoid(u);
      return s + 2.0 * GELU_SCALE * u * s * (1.0 - s) * (1.0 + 3.0 * GELU_CUBE * u * u);
    }
  }
}
