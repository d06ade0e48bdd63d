// Value and derivative of GELU (0, tanh approximation), squared ReLU (1) and SiLU (2).
override ACTIVATION: u32 = 0u;
const GELU_SCALE = 0.7978845608028654; // sqrt(2 / pi)
const GELU_CUBE = 0.044715;

// The argument is clamped: some drivers' tanh overflows, and beyond 10 it is 1 in float32 anyway.
fn gelu_tanh(u: f32) -> f32 { return tanh(clamp(GELU_SCALE * (u + GELU_CUBE * u * u * u), -10.0, 10.0)); }
fn sigmoid(u: f32) -> f32 { return 1.0 / (1.0 + exp(clamp(-u, -80.0, 80.0))); }

fn value_at(u: f32) -> f32 {
  switch (ACTIVATION) {
    case 1u: { return max(u, 0.0) * max(u, 0.0); }
    case 2u: { return u * sigmoid(u); }
    default: { return 0.5 * u * (1.0 + gelu_tanh(u)); }
  }
}

fn derivative_at(u: f32) -> f32 {
  switch (ACTIVATION) {
    case 1u: { return 2.0 * max(u, 0.0); }
    case 2u: {
      let s = sigmoid(u);
      return s * (1.0 + u * (1.0 - s));
    }
    default: {
      let t = gelu_tanh(u);
      return 0.5 * (1.0 + t) + 0.5 * u * (1.0 - t * t) * GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * u * u);
    }
  }
}
