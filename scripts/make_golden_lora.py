"""Makes golden fixtures of LoRA: results of PEFT in float64 over the models of make_golden.py.

    python3 scripts/make_golden_lora.py DIR

DIR (src/model/golden in the repository) has the fixtures of make_golden.py, whose models, batches and
initial weights are the frozen base. Writes `lora/CASE.json` for some of them: the settings of PEFT's
LoraConfig; the initial adapters by PEFT's names (lora_B is not zero, so that every gradient is above
rounding errors); logits, loss and gradients of the first batch; then ten steps of torch.optim.AdamW
as in make_golden.py: losses, gradient norms, final adapters, and the logits of the merged model
(`merge_and_unload`) after them.

Needs transformers and peft.
"""

import argparse
import base64
import json
import pathlib

import numpy as np
import peft
import torch
import torch.nn.functional as F

from make_golden import SMALL, TRAINING, packed, transformers_model

CASES = {
    "gpt2": dict(r=2, lora_alpha=3, target_modules=["c_attn", "c_proj", "c_fc"]),
    "llama_qk_norm_window": dict(
        r=4,
        lora_alpha=8,
        target_modules=[f"{part}_proj" for part in ["q", "k", "v", "o", "gate", "up", "down"]],
    ),
}


def unpacked(text, shape):
    values = np.frombuffer(base64.b64decode(text), dtype="<f4").reshape(shape)
    return torch.from_numpy(values.astype(np.float64))


def batch_of(golden, step):
    batch, length = golden["batches"][step], golden["model"]["block_size"]
    ids, targets = (torch.tensor(batch[key]).reshape(-1, length) for key in ["ids", "targets"])
    return ids, targets, unpacked(batch["weights"], [-1])


def forward(model, batch):
    ids, targets, weights = batch
    logits = model(ids).logits
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return logits, (losses * weights).sum()


def make_case(name, golden, settings, seed):
    base = {p["name"]: unpacked(p["initial"], p["shape"]) for p in golden["parameters"]}
    config = peft.LoraConfig(
        task_type="CAUSAL_LM", fan_in_fan_out=name.startswith("gpt2"), bias="none", **settings
    )
    model = peft.get_peft_model(transformers_model(SMALL | golden["model"], base), config).eval()
    random = np.random.default_rng(seed)
    adapters = {k: v for k, v in model.named_parameters() if v.requires_grad}
    for key, value in adapters.items():
        scale = value.shape[1] ** -0.5 if "lora_A" in key else 0.3
        exact = (random.standard_normal(value.shape) * scale).astype(np.float32)
        value.data = torch.from_numpy(exact.astype(np.float64))
    initial = {k: packed(v) for k, v in adapters.items()}
    logits, loss = forward(model, batch_of(golden, 0))
    loss.backward()
    gradients = {k: packed(v.grad) for k, v in adapters.items()}
    optimizer = torch.optim.AdamW(
        adapters.values(),
        lr=TRAINING["learning_rate"],
        betas=(TRAINING["beta1"], TRAINING["beta2"]),
        eps=TRAINING["epsilon"],
        weight_decay=TRAINING["weight_decay"],
        foreach=False,
    )
    losses, grad_norms = [], []
    for step in range(len(golden["batches"])):
        optimizer.zero_grad()
        step_loss = forward(model, batch_of(golden, step))[1]
        step_loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(adapters.values(), TRAINING["grad_clip"])
        optimizer.step()
        losses.append(step_loss.item())
        grad_norms.append(norm.item())
    # PEFT's checkpoints have the names without the adapter's.
    tensors = [
        dict(
            name=k.replace(".default.", "."),
            shape=list(v.shape),
            initial=initial[k],
            gradient=gradients[k],
            final=packed(v),
        )
        for k, v in adapters.items()
    ]
    merged = model.merge_and_unload()
    return dict(
        base=name,
        peft=peft.__version__,
        r=settings["r"],
        lora_alpha=settings["lora_alpha"],
        loss=loss.item(),
        logits=packed(logits),
        losses=losses,
        grad_norms=grad_norms,
        merged_logits=packed(forward(merged, batch_of(golden, 0))[0]),
        adapters=tensors,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    (folder / "lora").mkdir(exist_ok=True)
    for seed, (name, settings) in enumerate(CASES.items()):
        golden = json.loads((folder / f"{name}.json").read_text())
        case = make_case(name, golden, settings, seed + 1)
        path = folder / "lora" / f"{name}.json"
        path.write_text(json.dumps(case, separators=(",", ":")) + "\n")
        print(
            f"lora/{path.name}: {path.stat().st_size} bytes, {len(case['adapters'])} tensors, "
            f"losses {case['losses'][0]:.6f} to {case['losses'][-1]:.6f}"
        )


if __name__ == "__main__":
    main()
