// Samples the next token of each row, one workgroup per row.
//
// Tokens are ordered as in the host's sampler: by logit, largest first, and by id among equal
// logits. A token's mass is its probability in units of 2^-31. Masses are integers, so their sums
// are exact and do not depend on the order in which threads add. Top-k, top-p and the draw are then
// one search each: top-k and top-p keep the tokens up to the one at which the count or the mass
// reaches a limit, and the draw chooses the kept token at which the mass passes a random share of
// the kept mass. Nothing is sorted.
const N = 256u; // threads
const BEST = 5u; // outputs per row
const NONE = 0xffffffffu;

struct Params { V: u32 }
@group(0) @binding(0) var<storage, read_write> ids: array<i32>;
@group(0) @binding(1) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(2) var<storage, read> logits: array<f32>;
@group(0) @binding(3) var<storage, read> control: array<i32>;
@group(0) @binding(4) var<storage, read> progress: array<i32>;
@group(0) @binding(5) var<storage, read> options: array<f32>;
@group(0) @binding(6) var<uniform> p: Params;

// A token, and the count and mass of the tokens up to and including it.
struct Place { key: u32, id: u32, count: u32, mass: u32 }
// A range of keys that still holds the searched token: the count and mass of the tokens before the
// range, and the number of tokens inside it.
struct Bracket { low: u32, high: u32, count: u32, mass: u32, inside: u32 }
// A range of ids, and the sum before it.
struct Part { start: u32, size: u32, before: u32 }

var<workgroup> keys: array<u32, N>;
var<workgroup> indices: array<u32, N>;
var<workgroup> masses: array<u32, N>;
var<workgroup> sums: array<vec2f, N>;
// 32 bins of counts, then 32 of masses, each in 32 copies so that threads of a subgroup of 32 never
// contend for the same one.
var<workgroup> histogram: array<atomic<u32>, 2048>;
var<workgroup> bins: array<u32, 64>;
var<workgroup> best: array<u32, BEST>;
var<workgroup> bracket: Bracket;
var<workgroup> place: Place;
var<workgroup> part: Part;
var<workgroup> found: atomic<u32>;

// The row, and its likeliest token.
var<private> start: u32;
var<private> top: f32;
var<private> top_key: u32;
var<private> temperature: f32;
// Mass of the likeliest token.
var<private> scale: f32;
// A token is kept if it is not after this one and if its probability is at least `minimum` times
// that of the likeliest.
var<private> last_key: u32;
var<private> last_id: u32;
var<private> minimum: f32;

// Ids from this one on are padding and never chosen.
fn sampled() -> u32 {
  return select(p.V, min(u32(options[4]), p.V), options[4] > 0.0);
}

// An integer that orders like the number; -0 and 0 are equal.
fn key_of(x: f32) -> u32 {
  let bits = bitcast<u32>(select(x, 0.0, x == 0.0));
  return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn value_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, key >= 0x80000000u));
}

fn mass_of(x: f32) -> u32 {
  let e = exp((x - top) / temperature);
  return select(0u, u32(e * scale + 0.5), e >= minimum);
}

fn kept(key: u32, id: u32) -> bool {
  return key > last_key || (key == last_key && id <= last_id);
}
