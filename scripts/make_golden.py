"""Makes golden fixtures: results of PyTorch in float64 for tiny models of both layouts.

    python3 scripts/make_golden.py OUT_DIR [--check-transformers]

Writes one JSON file per case into OUT_DIR (src/model/golden in the repository): the batches of ten
steps; the initial parameters with our names and layout (src/model/parameters.ts: linear weights
[in, out], qkv and gate_up packed); logits, loss and every gradient of the first batch; then ten
steps of torch.optim.AdamW (decay on matrices only, gradients clipped to a norm of 1): the loss and
gradient norm of each, the final weights, and the final logits of the first batch.

Arrays are base64 of little-endian float32. The inputs (weights, loss weights) are exactly
representable in float32, so the file has them without rounding. With --check-transformers,
transformers' GPT-2, Llama and Qwen3 (Llama with qk_norm) also run with the same weights, and the
largest difference of the logits is printed.
"""

import argparse
import base64
import json
import math
import pathlib
import platform

import numpy as np
import torch
import torch.nn.functional as F

STEPS = 10
TRAINING = dict(
    optimizer="adamw",
    learning_rate=3e-3,
    lr_schedule="constant",
    warmup_iters=0,
    weight_decay=0.1,
    beta1=0.9,
    beta2=0.95,
    epsilon=1e-8,
    grad_clip=1.0,
)
SMALL = dict(
    n_head=4,
    n_kv_head=4,
    n_embd=16,
    n_inner=32,
    block_size=8,
    vocab_size=19,
    dropout=0.0,
    bias=False,
    qk_norm=False,
    sliding_window=0,
    rope_theta=10000.0,
    rope_factor=1.0,
    head_dim=0,
    qkv_bias=False,
    norm_eps=1e-5,
)

CASES = {
    "gpt2": dict(
        SMALL,
        layout="gpt2",
        n_layer=2,
        n_inner=64,
        bias=True,
        tie_word_embeddings=True,
        activation_function="gelu_new",
    ),
    "gpt2_untied_relu2": dict(
        SMALL,
        layout="gpt2",
        n_layer=1,
        n_head=2,
        n_kv_head=2,
        tie_word_embeddings=False,
        activation_function="relu2",
    ),
    "llama": dict(
        SMALL,
        layout="llama",
        n_layer=2,
        n_kv_head=2,
        tie_word_embeddings=True,
        activation_function="silu",
    ),
    "llama_qk_norm_window": dict(
        SMALL,
        layout="llama",
        n_layer=2,
        n_kv_head=1,
        tie_word_embeddings=False,
        activation_function="silu",
        qk_norm=True,
        sliding_window=3,
        rope_theta=500.0,
        norm_eps=1e-6,
    ),
    "gpt2_exact_gelu": dict(
        SMALL,
        layout="gpt2",
        n_layer=1,
        n_head=2,
        n_kv_head=2,
        tie_word_embeddings=True,
        activation_function="gelu",
    ),
    # What Qwen2 (biases), Qwen3 (heads of their own width) and Llama 3.2 (scaled RoPE) have.
    "llama_heads_biases_scaled": dict(
        SMALL,
        layout="llama",
        n_layer=1,
        n_head=2,
        n_kv_head=1,
        n_embd=12,
        head_dim=10,
        qkv_bias=True,
        tie_word_embeddings=True,
        activation_function="silu",
        # Waves of 2,167 and 15,212 tokens: one between Llama 3's limits, one above them.
        rope_theta=17000.0,
        rope_factor=2.0,
    ),
}


def head_width(m):
    return m["head_dim"] or m["n_embd"] // m["n_head"]


# Names and shapes of the parameters, in the order of src/model/parameters.ts.


def list_parameters(m):
    d, f, out = m["n_embd"], m["n_inner"], []
    q, kv = (m[n] * head_width(m) for n in ("n_head", "n_kv_head"))
    if m["layout"] == "gpt2":

        def norm(name):
            out.append((f"{name}.weight", [d]))
            if m["bias"]:
                out.append((f"{name}.bias", [d]))

        def linear(name, rows, columns):
            out.append((f"{name}.weight", [rows, columns]))
            if m["bias"]:
                out.append((f"{name}.bias", [columns]))

        out += [
            ("transformer.wte.weight", [m["vocab_size"], d]),
            ("transformer.wpe.weight", [m["block_size"], d]),
        ]
        for i in range(m["n_layer"]):
            h = f"transformer.h.{i}"
            norm(f"{h}.ln_1")
            linear(f"{h}.attn.c_attn", d, 3 * d)
            linear(f"{h}.attn.c_proj", d, d)
            norm(f"{h}.ln_2")
            linear(f"{h}.mlp.c_fc", d, f)
            linear(f"{h}.mlp.c_proj", f, d)
        norm("transformer.ln_f")
    else:
        out.append(("model.embed_tokens.weight", [m["vocab_size"], d]))
        for i in range(m["n_layer"]):
            h = f"model.layers.{i}"
            out += [
                (f"{h}.input_layernorm.weight", [d]),
                (f"{h}.self_attn.qkv_proj.weight", [d, q + 2 * kv]),
            ]
            if m["qkv_bias"]:
                out.append((f"{h}.self_attn.qkv_proj.bias", [q + 2 * kv]))
            if m["qk_norm"]:
                out += [(f"{h}.self_attn.{part}_norm.weight", [head_width(m)]) for part in "qk"]
            out += [
                (f"{h}.self_attn.o_proj.weight", [q, d]),
                (f"{h}.post_attention_layernorm.weight", [d]),
                (f"{h}.mlp.gate_up_proj.weight", [d, 2 * f]),
                (f"{h}.mlp.down_proj.weight", [f, d]),
            ]
        out.append(("model.norm.weight", [d]))
    if not m["tie_word_embeddings"]:
        out.append(("lm_head.weight", [m["vocab_size"], d]))
    return [p for p in out if len(p[1]) > 1] + [p for p in out if len(p[1]) == 1]


def initial_parameters(m, random):
    """Values that are exact in float32, and larger than in a real initialization, so that every
    gradient is well above rounding errors.
    """
    parameters = {}
    for name, shape in list_parameters(m):
        values = random.standard_normal(shape)
        if len(shape) == 1:
            values = 0.2 * values + (0.0 if name.endswith(".bias") else 1.0)
        elif "wte" in name or "wpe" in name or "embed_tokens" in name or "lm_head" in name:
            values = 0.5 * values
        else:
            values = values / math.sqrt(shape[0])
        exact = torch.from_numpy(values.astype(np.float32).astype(np.float64))
        parameters[name] = exact.requires_grad_()
    return parameters


def make_batches(m, batch_size, random):
    """Random tokens. Some loss weights are 0 or 1/2; all sum to one, as in src/data's batches."""
    batches = []
    for _ in range(STEPS):
        tokens = random.integers(0, m["vocab_size"], (batch_size, m["block_size"] + 1))
        weights = random.choice([0.0, 0.5, 1.0, 1.0, 1.0], (batch_size, m["block_size"]))
        batches.append(
            (tokens[:, :-1], tokens[:, 1:], (weights / weights.sum()).astype(np.float32))
        )
    return batches


# The model as a function of its parameters: ids [B, T] -> logits [B, T, vocab_size].


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def llama3_scaled(frequency, factor):
    """`rope_type: llama3` with the settings of Llama 3.1 and 3.2."""
    wavelength = 2 * math.pi / frequency
    smooth = (8192 / wavelength - 1) / (4 - 1)
    between = (1 - smooth) * frequency / factor + smooth * frequency
    scaled = torch.where(wavelength > 8192, frequency / factor, between)
    return torch.where(wavelength < 8192 / 4, frequency, scaled)


def rotate(x, m):
    """RoPE on [B, heads, T, head_dim]; pairs are (i, i + head_dim / 2)."""
    half = x.shape[-1] // 2
    frequency = m["rope_theta"] ** (-torch.arange(half, dtype=x.dtype) / half)
    frequency = llama3_scaled(frequency, m["rope_factor"])
    angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * frequency
    one, two = x[..., :half], x[..., half:]
    return torch.cat(
        [one * angle.cos() - two * angle.sin(), two * angle.cos() + one * angle.sin()], -1
    )


def attend(m, qkv, q_norm=None, k_norm=None):
    batch, length, _ = qkv.shape
    d = head_width(m)
    heads = (m["n_head"], m["n_kv_head"], m["n_kv_head"])
    q, k, v = [
        part.reshape(batch, length, n, d).transpose(1, 2)
        for part, n in zip(qkv.split([n * d for n in heads], -1), heads)
    ]
    if q_norm is not None:
        q, k = rms_norm(q, q_norm, m["norm_eps"]), rms_norm(k, k_norm, m["norm_eps"])
    if m["layout"] == "llama":
        q, k = rotate(q, m), rotate(k, m)
    group = m["n_head"] // m["n_kv_head"]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    back = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    hidden = back < 0
    if m["sliding_window"] > 0:
        hidden = hidden | (back >= m["sliding_window"])
    scores = (q @ k.transpose(-1, -2) / math.sqrt(d)).masked_fill(hidden, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)


ACTIVATIONS = {
    "gelu_new": lambda x: 0.5
    * x
    * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "gelu": lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))),
    "relu2": lambda x: x.clamp(min=0).square(),
    "silu": lambda x: x * torch.sigmoid(x),
}


def gpt2(m, p, ids):
    width, act = [m["n_embd"]], ACTIVATIONS[m["activation_function"]]
    norm = lambda name, x: F.layer_norm(
        x, width, p[f"{name}.weight"], p.get(f"{name}.bias"), m["norm_eps"]
    )
    linear = lambda name, x: x @ p[f"{name}.weight"] + p.get(f"{name}.bias", 0.0)
    x = p["transformer.wte.weight"][ids] + p["transformer.wpe.weight"][: ids.shape[1]]
    for i in range(m["n_layer"]):
        h = f"transformer.h.{i}"
        x = x + linear(
            f"{h}.attn.c_proj", attend(m, linear(f"{h}.attn.c_attn", norm(f"{h}.ln_1", x)))
        )
        x = x + linear(f"{h}.mlp.c_proj", act(linear(f"{h}.mlp.c_fc", norm(f"{h}.ln_2", x))))
    return norm("transformer.ln_f", x) @ p.get("lm_head.weight", p["transformer.wte.weight"]).T


def llama(m, p, ids):
    norm = lambda name, x: rms_norm(x, p[f"{name}.weight"], m["norm_eps"])
    x = p["model.embed_tokens.weight"][ids]
    for i in range(m["n_layer"]):
        h = f"model.layers.{i}"
        qkv = norm(f"{h}.input_layernorm", x) @ p[f"{h}.self_attn.qkv_proj.weight"]
        qkv = qkv + p.get(f"{h}.self_attn.qkv_proj.bias", 0.0)
        y = attend(
            m, qkv, p.get(f"{h}.self_attn.q_norm.weight"), p.get(f"{h}.self_attn.k_norm.weight")
        )
        x = x + y @ p[f"{h}.self_attn.o_proj.weight"]
        gate, up = (
            norm(f"{h}.post_attention_layernorm", x) @ p[f"{h}.mlp.gate_up_proj.weight"]
        ).chunk(2, -1)
        x = x + (ACTIVATIONS[m["activation_function"]](gate) * up) @ p[f"{h}.mlp.down_proj.weight"]
    return norm("model.norm", x) @ p.get("lm_head.weight", p["model.embed_tokens.weight"]).T


def forward(m, p, batch):
    ids, targets, weights = (torch.from_numpy(np.ascontiguousarray(a)) for a in batch)
    logits = (gpt2 if m["layout"] == "gpt2" else llama)(m, p, ids)
    token_losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return logits, (token_losses * weights.flatten().double()).sum()


def packed(t):
    return base64.b64encode(t.detach().numpy().astype("<f4").tobytes()).decode()


def make_case(name, m, seed):
    random = np.random.default_rng(seed)
    p, batches = initial_parameters(m, random), make_batches(m, 3, random)
    initial = {k: packed(v) for k, v in p.items()}
    logits, loss = forward(m, p, batches[0])
    loss.backward()
    gradients = {k: packed(v.grad) for k, v in p.items()}
    before = {k: v.detach().clone() for k, v in p.items()}

    optimizer = torch.optim.AdamW(
        [
            dict(
                params=[v for v in p.values() if v.dim() > 1], weight_decay=TRAINING["weight_decay"]
            ),
            dict(params=[v for v in p.values() if v.dim() == 1], weight_decay=0.0),
        ],
        lr=TRAINING["learning_rate"],
        betas=(TRAINING["beta1"], TRAINING["beta2"]),
        eps=TRAINING["epsilon"],
        foreach=False,
    )
    losses, grad_norms = [], []
    for batch in batches:
        optimizer.zero_grad()
        step_loss = forward(m, p, batch)[1]
        step_loss.backward()
        grad_norms.append(torch.nn.utils.clip_grad_norm_(p.values(), TRAINING["grad_clip"]).item())
        optimizer.step()
        losses.append(step_loss.item())
    case = dict(
        name=name,
        torch=torch.__version__,
        model=m,
        training=TRAINING,
        batch_size=3,
        batches=[
            dict(
                ids=i.flatten().tolist(),
                targets=t.flatten().tolist(),
                weights=packed(torch.from_numpy(w)),
            )
            for i, t, w in batches
        ],
        loss=loss.item(),
        logits=packed(logits),
        losses=losses,
        grad_norms=grad_norms,
        final_logits=packed(forward(m, p, batches[0])[0]),
        parameters=[
            dict(
                name=k,
                shape=list(v.shape),
                initial=initial[k],
                gradient=gradients[k],
                final=packed(v),
            )
            for k, v in p.items()
        ],
    )
    return case, before, batches[0], logits


# The same model in transformers.


def transformers_model(m, p):
    import transformers as hf

    if m["layout"] == "gpt2":
        config = hf.GPT2Config(
            vocab_size=m["vocab_size"],
            n_positions=m["block_size"],
            n_embd=m["n_embd"],
            n_layer=m["n_layer"],
            n_head=m["n_head"],
            n_inner=m["n_inner"],
            activation_function=m["activation_function"],
            layer_norm_epsilon=m["norm_eps"],
            tie_word_embeddings=m["tie_word_embeddings"],
            attn_implementation="eager",
        )
        model, state = hf.GPT2LMHeadModel(config).double().eval(), dict(p)
        for name, value in model.state_dict().items():
            if name not in state:
                state[name] = torch.zeros_like(value) if name.endswith(".bias") else value
        if m["tie_word_embeddings"]:
            state["lm_head.weight"] = p["transformer.wte.weight"]
    else:
        rope = dict(rope_type="default", rope_theta=m["rope_theta"])
        if m["rope_factor"] != 1:
            rope = dict(
                rope_type="llama3",
                rope_theta=m["rope_theta"],
                factor=m["rope_factor"],
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=8192,
            )
        d, common = head_width(m), dict(
            vocab_size=m["vocab_size"],
            hidden_size=m["n_embd"],
            intermediate_size=m["n_inner"],
            num_hidden_layers=m["n_layer"],
            num_attention_heads=m["n_head"],
            num_key_value_heads=m["n_kv_head"],
            max_position_embeddings=m["block_size"],
            rms_norm_eps=m["norm_eps"],
            tie_word_embeddings=m["tie_word_embeddings"],
            attn_implementation="eager",
            **(
                dict(rope_parameters=rope)
                if int(hf.__version__.split(".")[0]) >= 5
                else dict(rope_theta=m["rope_theta"])
            ),
        )
        if m["qk_norm"]:
            window = (
                dict(
                    use_sliding_window=True, sliding_window=m["sliding_window"], max_window_layers=0
                )
                if m["sliding_window"]
                else {}
            )
            model = (
                hf.Qwen3ForCausalLM(hf.Qwen3Config(head_dim=d, **common, **window)).double().eval()
            )
        elif m["qkv_bias"]:
            model = hf.Qwen2ForCausalLM(hf.Qwen2Config(head_dim=d, **common)).double().eval()
        else:
            model = hf.LlamaForCausalLM(hf.LlamaConfig(head_dim=d, **common)).double().eval()
        q, kv, state = m["n_head"] * d, m["n_kv_head"] * d, {}
        for name, value in p.items():
            if "qkv_proj" in name:
                for part, columns in zip("qkv", value.split([q, kv, kv], -1)):
                    state[name.replace("qkv", part)] = columns.T if value.dim() > 1 else columns
            elif "gate_up_proj" in name:
                for part, columns in zip(["gate", "up"], value.chunk(2, 1)):
                    state[name.replace("gate_up", part)] = columns.T
            else:
                state[name] = value.T if name.endswith("_proj.weight") else value
        if m["tie_word_embeddings"]:
            state["lm_head.weight"] = p["model.embed_tokens.weight"]
    model.load_state_dict({k: v.contiguous() for k, v in state.items()}, strict=True)
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--check-transformers", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
    for seed, (name, m) in enumerate(CASES.items()):
        case, before, batch, logits = make_case(name, m, seed + 1)
        path = arguments.out / f"{name}.json"
        path.write_text(json.dumps(case, separators=(",", ":")) + "\n")
        print(
            f"{name}: {path.stat().st_size} bytes, "
            f"losses {case['losses'][0]:.6f} to {case['losses'][-1]:.6f}, "
            f"gradient norms {min(case['grad_norms']):.3f} to {max(case['grad_norms']):.3f}"
        )
        if arguments.check_transformers:
            with torch.no_grad():
                theirs = transformers_model(m, before)(
                    torch.from_numpy(np.ascontiguousarray(batch[0]))
                ).logits
            print(
                "  largest difference of the logits from transformers: "
                f"{(theirs - logits).abs().max().item():.3e}"
            )


if __name__ == "__main__":
    main()
