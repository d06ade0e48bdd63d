"""The bench's configurations in PyTorch, from eager float32 to bfloat16 in one CUDA graph per step.

    python3 bench/peers/pytorch_ladder.py OUT.json [T,S,M]
        [--only eager_fp32,graph_tf32] [--device cpu] [--threads 2]

The model and the step are those of ../configs.ts: GPT-2 layout, biases, tied head, tanh-GELU, no
dropout, gradient norm clipped at 1.0, AdamW 0.9/0.999 with decay 0.1 on matrices only, uniform
random tokens. Losses are read every 10 steps. Rows have the keys of `npm run bench -- --json`, so
that table.mjs shows both in one table. `matmuls` has the time of each matmul of a step alone.
"""

import argparse
import gc
import json
import math
import statistics
import time
import traceback

import torch
import torch.nn as nn
import torch.nn.functional as F

# vocabulary, width, heads, feed-forward, layers, context, batch
CONFIGS = {
    "N": (28, 64, 4, 256, 2, 16, 32),
    "T": (65, 128, 4, 512, 4, 64, 12),
    "S": (10000, 128, 8, 256, 6, 128, 16),
    "M": (8192, 384, 6, 1536, 6, 256, 32),
    "V": (50257, 384, 6, 1536, 6, 256, 32),
    "tiny": (30, 16, 2, 32, 1, 8, 4),
}

# sdpa: fused attention, otherwise the plain formula. fused: fused AdamW, otherwise PyTorch's
# default (foreach on CUDA). comp: torch.compile. amp: bfloat16 autocast. graph: the whole step is
# captured in one CUDA graph, otherwise it runs op by op.
LADDER = {
    "eager_fp32": {},
    "eager_tf32": {"tf32": True},
    "eager_fp32_sdpa_fused": {"sdpa": True, "fused": True},
    "compiled_fp32": {"sdpa": True, "fused": True, "comp": True},
    "graph_fp32": {"sdpa": True, "fused": True, "comp": True, "graph": True},
    "graph_tf32": {"sdpa": True, "fused": True, "comp": True, "graph": True, "tf32": True},
    "graph_bf16": {
        "sdpa": True,
        "fused": True,
        "comp": True,
        "graph": True,
        "tf32": True,
        "amp": True,
    },
}
READ_EVERY = 10


class Block(nn.Module):
    def __init__(self, d, heads, inner, context, sdpa):
        super().__init__()
        self.heads, self.sdpa = heads, sdpa
        self.ln_1, self.ln_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.c_attn, self.attn_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.c_fc, self.mlp_proj = nn.Linear(d, inner), nn.Linear(inner, d)
        self.register_buffer("mask", torch.triu(torch.full((context, context), float("-inf")), 1))

    def attend(self, x):
        b, t, d = x.shape
        q, k, v = (
            p.view(b, t, self.heads, d // self.heads).transpose(1, 2)
            for p in self.c_attn(x).split(d, 2)
        )
        if self.sdpa:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = (
                torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(d // self.heads) + self.mask, -1)
                @ v
            )
        return self.attn_proj(y.transpose(1, 2).reshape(b, t, d))

    def forward(self, x):
        x = x + self.attend(self.ln_1(x))
        return x + self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, vocab, d, heads, inner, layers, context, sdpa):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, d), nn.Embedding(context, d)
        self.h = nn.ModuleList([Block(d, heads, inner, context, sdpa) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(d)
        self.register_buffer("positions", torch.arange(context))
        for name, p in self.named_parameters():
            if p.dim() >= 2:
                nn.init.normal_(
                    p, std=0.02 / math.sqrt(2 * layers) if name.endswith("_proj.weight") else 0.02
                )
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(self.positions)
        for block in self.h:
            x = block(x)
        # The head is tied to the embedding.
        logits = F.linear(self.ln_f(x), self.wte.weight)
        return F.cross_entropy(logits.float().view(-1, logits.size(-1)), targets.view(-1))


def set_tf32(on):
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


def make_optimizer(model, fused, graph, device):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    rate = torch.tensor(3e-4, device=device) if graph else 3e-4
    return torch.optim.AdamW(
        groups, lr=rate, betas=(0.9, 0.999), eps=1e-8, fused=fused or None, capturable=graph
    )


def bench(
    config, device, seconds, tf32=False, sdpa=False, comp=False, amp=False, fused=False, graph=False
):
    vocab, d, heads, inner, layers, context, batch = CONFIGS[config]
    cuda = device == "cuda"
    sync = torch.cuda.synchronize if cuda else (lambda: None)
    torch._dynamo.reset()
    gc.collect()
    set_tf32(tf32)
    torch.manual_seed(0)
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    model = GPT(vocab, d, heads, inner, layers, context, sdpa).to(device)
    optimizer = make_optimizer(model, fused, graph, device)
    parameters = list(model.parameters())
    generator = torch.Generator(device=device).manual_seed(1)
    batches = [
        torch.randint(0, vocab, (2, batch, context), device=device, generator=generator)
        for _ in range(4)
    ]
    forward = torch.compile(model) if comp else model

    def step(ids, targets):
        with torch.autocast(device, torch.bfloat16, enabled=amp):
            loss = forward(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=not graph)
        return loss

    begin = time.perf_counter()
    if graph:
        current = batches[0].clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(4):
                step(current[0], current[1])
        torch.cuda.current_stream().wait_stream(stream)
        sync()
        whole = torch.cuda.CUDAGraph()
        with torch.cuda.graph(whole):
            captured = step(current[0], current[1])

        def run(i):
            current.copy_(batches[i % 4])
            whole.replay()
            return captured

    else:

        def run(i):
            return step(batches[i % 4][0], batches[i % 4][1])

    first = run(0).item()
    first_ms = (time.perf_counter() - begin) * 1000
    for i in range(20 if cuda else 1):
        loss = run(i)
    loss.item()
    groups, losses, start = [], [], time.perf_counter()
    while len(groups) < 6 or (time.perf_counter() - start < seconds and len(groups) < 60):
        a = time.perf_counter()
        for i in range(READ_EVERY):
            loss = run(i)
        losses.append(loss.item())
        groups.append((time.perf_counter() - a) / READ_EVERY * 1000)
    enqueue = []
    for i in range(20):
        sync()
        a = time.perf_counter()
        run(i)
        enqueue.append((time.perf_counter() - a) * 1000)
    sync()
    ms = statistics.median(groups)
    return {
        "ms": round(ms, 4),
        "meanMs": round(statistics.mean(groups), 4),
        "steps": READ_EVERY * len(groups),
        "tokensPerSec": round(batch * context / ms * 1000),
        "hostMs": round(statistics.median(enqueue), 4),
        "gpuBytes": torch.cuda.max_memory_allocated() if cuda else None,
        "gpuReservedBytes": torch.cuda.max_memory_reserved() if cuda else None,
        "firstLossMs": round(first_ms, 1),
        "firstLoss": round(first, 4),
        "lastLoss": round(losses[-1], 4),
        "parameters": sum(p.numel() for p in parameters),
    }


def matmuls(config, device, tf32):
    """Milliseconds of each matmul of a step alone: C [m, n] = op(A) op(B) over k, with the names
    that the bench uses.
    """
    vocab, d, _, inner, _, context, batch = CONFIGS[config]
    n = batch * context
    set_tf32(tf32)
    shapes = [
        ("nn", n, 3 * d, d),
        ("nn", n, d, d),
        ("nn", n, inner, d),
        ("nn", n, d, inner),
        ("nt", n, vocab, d),
        ("nt", n, d, 3 * d),
        ("nt", n, d, d),
        ("nt", n, d, inner),
        ("nt", n, inner, d),
        ("nn", n, d, vocab),
        ("tn", d, 3 * d, n),
        ("tn", d, d, n),
        ("tn", d, inner, n),
        ("tn", inner, d, n),
        ("tn", vocab, d, n),
    ]
    times = {}
    for form, rows, columns, depth in shapes:
        a = torch.randn((depth, rows) if form[0] == "t" else (rows, depth), device=device)
        b = torch.randn((columns, depth) if form[1] == "t" else (depth, columns), device=device)
        a, b = (a.t() if form[0] == "t" else a), (b.t() if form[1] == "t" else b)
        c = torch.empty(rows, columns, device=device)
        times[f"{form} {rows}x{columns}x{depth}"] = round(
            timed(lambda a=a, b=b, c=c: torch.mm(a, b, out=c), device), 5
        )
    return times


def timed(call, device):
    """Milliseconds per call: the best of three series that take at least 50 ms each."""
    sync = torch.cuda.synchronize if device == "cuda" else (lambda: None)

    def once(repeats):
        sync()
        a = time.perf_counter()
        for _ in range(repeats):
            call()
        sync()
        return (time.perf_counter() - a) * 1000

    repeats = 1
    while once(repeats) < 50 and repeats < 16384:
        repeats *= 4
    return min(once(repeats) for _ in range(3)) / repeats


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("out")
    options.add_argument("configs", nargs="?", default="T,S,M")
    options.add_argument("--only", default=",".join(LADDER))
    options.add_argument("--device", default="cuda")
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--threads", type=int, default=0, help="of the CPU; 0 is PyTorch's choice")
    asked = options.parse_args()
    if asked.threads > 0:
        torch.set_num_threads(asked.threads)
    cuda = asked.device == "cuda"
    about = {
        "peer": "pytorch",
        "backend": "cuda" if cuda else "cpu",
        "browser": f"torch {torch.__version__}",
        "adapter": torch.cuda.get_device_name() if cuda else "CPU",
    }
    rows = []

    def add(row):
        rows.append({**about, **row})
        print(json.dumps(row), flush=True)
        with open(asked.out, "w") as file:
            json.dump(rows, file, indent=1)

    for config in asked.configs.split(","):
        for name in asked.only.split(","):
            try:
                add(
                    {
                        "config": config,
                        "mode": name,
                        **bench(config, asked.device, asked.seconds, **LADDER[name]),
                    }
                )
            except Exception as error:
                traceback.print_exc(limit=3)
                add({"config": config, "mode": name, "error": repr(error)[:300]})
        for tf32 in (False, True) if cuda else (False,):
            add(
                {
                    "config": config,
                    "mode": "matmuls_tf32" if tf32 else "matmuls_fp32",
                    "matmuls": matmuls(config, asked.device, tf32),
                }
            )


main()
