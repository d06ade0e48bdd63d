"""The optimizer and the learning rate of the page, in PyTorch."""

import math

import torch


def make_optimizer(model, bundle, training):
    """The optimizer of the run. Only matrices have weight decay."""
    decayed = {
        part["name"]
        for parameter in bundle["parameters"]
        if parameter["decay"]
        for part in parameter["parts"]
    }
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for name, p in named if name in decayed],
            "weight_decay": training["weight_decay"],
        },
        {"params": [p for name, p in named if name not in decayed], "weight_decay": 0.0},
    ]
    rate = training["learning_rate"]
    adam = {
        "lr": rate,
        "betas": (training["beta1"], training["beta2"]),
        "eps": training["epsilon"],
    }
    match training["optimizer"]:
        case "adamw":
            return torch.optim.AdamW(groups, **adam)
        case "adam":
            return torch.optim.Adam(groups, **adam)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=training["momentum"])
        case other:
            raise SystemExit(f"train.py does not know the optimizer {other}.")


def learning_rate(training, step):
    """The learning rate of a step, counted from 0, by the page's schedules. "cosine" is nanoGPT's get_lr,
    "wsd" stays constant before it decays (warmup, stable, decay)."""
    rate, least, warmup = training["learning_rate"], training["min_lr"], training["warmup_iters"]
    schedule = training["lr_schedule"]
    if step < warmup:
        return rate * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return rate
    end = training["lr_decay_iters"] or training["max_iters"]
    stable = end * (1 - training["wsd_decay_fraction"]) if schedule == "wsd" else 0
    begin = max(warmup, stable)
    if step >= end:
        factor = 0.0
    elif step <= begin:
        factor = 1.0
    else:
        progress = (step - begin) / (end - begin)
        factor = 0.5 * (1 + math.cos(math.pi * progress)) if schedule == "cosine" else 1 - progress
    return least + factor * (rate - least)
