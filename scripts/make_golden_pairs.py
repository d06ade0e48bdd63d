"""Fixtures of the losses over preference pairs, from PyTorch in float64.

    python3 scripts/make_golden_pairs.py src/objectives/golden

Each case has a whole tiny model: its weights, those of a reference, pairs with masks, and the loss,
the metrics and all gradients. Formulas are those of TRL 1.10 (RewardTrainer, DPOTrainer), written
once more here.
"""

import argparse
import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

from make_golden import gpt2, initial_parameters, llama, packed

SMALL = dict(
    n_layer=1,
    n_head=2,
    n_kv_head=2,
    n_embd=8,
    n_inner=16,
    head_dim=0,
    qkv_bias=False,
    rope_factor=1.0,
    block_size=12,
    vocab_size=11,
    dropout=0.0,
    bias=False,
    qk_norm=False,
    sliding_window=0,
    rope_theta=10000.0,
    norm_eps=1e-5,
    tie_word_embeddings=True,
)
MODELS = {
    "gpt2": dict(SMALL, layout="gpt2", bias=True, activation_function="gelu_new"),
    "llama": dict(SMALL, layout="llama", n_kv_head=1, activation_function="silu"),
}
DPO = dict(loss_type="sigmoid", beta=0.1, label_smoothing=0.0, sft_weight=0.0)
STAGES = {
    "reward": dict(reward=dict(center_rewards_coefficient=0.0)),
    "reward_centred": dict(reward=dict(center_rewards_coefficient=0.01)),
    "sigmoid": dict(dpo=DPO),
    "ipo": dict(dpo=dict(DPO, loss_type="ipo", beta=0.4)),
    "hinge": dict(dpo=dict(DPO, loss_type="hinge", beta=0.3)),
    "robust": dict(dpo=dict(DPO, loss_type="robust", label_smoothing=0.2)),
    "sigmoid_norm": dict(dpo=dict(DPO, loss_type="sigmoid_norm", beta=2.0)),
    "sigmoid_sft": dict(dpo=dict(DPO, sft_weight=0.5)),
}
CASES = {
    "gpt2": list(STAGES),
    "llama": ["reward_centred", "sigmoid_sft"],
}
PAIRS = 6


def make_pairs(m, random):
    """Answers of different lengths to the same prompt; a margin on every second pair."""
    pairs = []
    for i in range(PAIRS):
        prompt = random.integers(1, m["vocab_size"], random.integers(1, 4)).tolist()
        pair = dict(margin=0.5 * (i % 2))
        for answer in ["chosen", "rejected"]:
            tokens = random.integers(1, m["vocab_size"], random.integers(2, 7)).tolist()
            pair[answer] = dict(
                ids=prompt + tokens, mask=[0] * len(prompt) + [1] * len(tokens)
            )
        pairs.append(pair)
    return pairs


def last_score(m, p, answer):
    """Scalar head at the last token: the language head's matrix replaced by a single row."""
    model = gpt2 if m["layout"] == "gpt2" else llama
    ids = torch.tensor([answer["ids"]])
    return model(m, {**p, "lm_head.weight": p["score.weight"].T}, ids)[0, -1, 0]


def all_logps(m, p, answer):
    """Log-probabilities of the whole vocabulary before each of the answer's own tokens."""
    model = gpt2 if m["layout"] == "gpt2" else llama
    logps = model(m, p, torch.tensor([answer["ids"]]))[0, :-1].log_softmax(-1)
    return logps[torch.tensor(answer["mask"][1:], dtype=torch.bool)]


def answer_logps(m, p, answer):
    """Log-probabilities of the answer's own tokens."""
    ids = torch.tensor(answer["ids"][1:])[torch.tensor(answer["mask"][1:], dtype=torch.bool)]
    return all_logps(m, p, answer).gather(-1, ids[:, None])[:, 0]


def sum_of_entropies(m, p, pairs):
    """Of the distributions over all tokens of all answers; TRL divides it by their number."""
    answers = [pair[name] for pair in pairs for name in ["chosen", "rejected"]]
    logps = torch.cat([all_logps(m, p, answer) for answer in answers]).detach()
    return -(logps.exp() * logps).sum(), float(len(logps))


def reward_loss(m, p, pairs, center_rewards_coefficient):
    chosen = torch.stack([last_score(m, p, pair["chosen"]) for pair in pairs])
    rejected = torch.stack([last_score(m, p, pair["rejected"]) for pair in pairs])
    margin = torch.tensor([pair["margin"] for pair in pairs], dtype=torch.float64)
    loss = -F.logsigmoid(chosen - rejected - margin).mean()
    loss = loss + center_rewards_coefficient * ((chosen + rejected) ** 2).mean()
    both = torch.cat([chosen, rejected])
    return loss, dict(
        accuracy=(chosen > rejected).double().mean(),
        margin=(chosen - rejected).mean(),
        mean_reward=both.mean(),
        min_reward=both.min(),
        max_reward=both.max(),
    )


def dpo_loss(m, p, reference, pairs, stage):
    beta, epsilon, loss_type = stage["beta"], stage["label_smoothing"], stage["loss_type"]
    losses, ratios, logps, nll, tokens = [], [], [], 0.0, 0
    for pair in pairs:
        answers = [answer_logps(m, p, pair[name]) for name in ["chosen", "rejected"]]
        with torch.no_grad():
            references = [answer_logps(m, reference, pair[name]) for name in ["chosen", "rejected"]]
        chosen, rejected = [a.sum() - r.sum() for a, r in zip(answers, references)]
        delta = chosen - rejected
        if loss_type in ["ipo", "sigmoid_norm"]:
            delta = chosen / len(answers[0]) - rejected / len(answers[1])
        losses.append(
            {
                "sigmoid": lambda: -F.logsigmoid(beta * delta),
                "sigmoid_norm": lambda: -F.logsigmoid(beta * delta),
                "hinge": lambda: torch.relu(1 - beta * delta),
                "ipo": lambda: (delta - 1 / (2 * beta)) ** 2,
                "robust": lambda: (
                    -(1 - epsilon) * F.logsigmoid(beta * delta)
                    + epsilon * F.logsigmoid(-beta * delta)
                )
                / (1 - 2 * epsilon),
            }[loss_type]()
        )
        ratios.append((chosen.detach(), rejected.detach()))
        logps.append(tuple(a.sum().detach() for a in answers))
        nll = nll - answers[0].sum()
        tokens += len(answers[0])
    loss = torch.stack(losses).mean() + stage["sft_weight"] * nll / tokens
    rewards, logps = beta * torch.tensor(ratios), torch.tensor(logps)
    entropy, answer_tokens = sum_of_entropies(m, p, pairs)
    return loss, {
        "rewards/chosen": rewards[:, 0].mean(),
        "rewards/rejected": rewards[:, 1].mean(),
        "rewards/margins": (rewards[:, 0] - rewards[:, 1]).mean(),
        "rewards/accuracies": (rewards[:, 0] > rewards[:, 1]).double().mean(),
        "logps/chosen": logps[:, 0].mean(),
        "logps/rejected": logps[:, 1].mean(),
        "entropy": entropy,
        "tokens": torch.tensor(answer_tokens),
    }


def float32_values(values):
    return torch.from_numpy(np.asarray(values).astype(np.float32).astype(np.float64))


def make_model(name, seed):
    m, random = MODELS[name], np.random.default_rng(seed)
    p = initial_parameters(m, random)
    p["score.weight"] = float32_values(random.standard_normal((m["n_embd"], 1))).requires_grad_()
    reference = {
        k: float32_values(v.detach().numpy() + 0.05 * random.standard_normal(v.shape))
        for k, v in p.items()
    }
    pairs, cases = make_pairs(m, random), []
    for stage_name in CASES[name]:
        stage = STAGES[stage_name]
        for value in p.values():
            value.grad = None
        if "reward" in stage:
            loss, metrics = reward_loss(m, p, pairs, **stage["reward"])
        else:
            loss, metrics = dpo_loss(m, p, reference, pairs, stage["dpo"])
        loss.backward()
        cases.append(
            dict(
                name=stage_name,
                stage=dict(objective="reward" if "reward" in stage else "dpo", **stage),
                loss=loss.item(),
                metrics={k: v.item() for k, v in metrics.items()},
                gradients={k: packed(v.grad) for k, v in p.items() if v.grad is not None},
            )
        )
        print(f"{name} {stage_name}: loss {loss.item():.6f}")
    return dict(
        torch=torch.__version__,
        model=m,
        pairs=pairs,
        parameters=[
            dict(name=k, shape=list(v.shape), values=packed(v), reference=packed(reference[k]))
            for k, v in p.items()
        ],
        cases=cases,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(MODELS):
        path = arguments.out / f"pairs_{name}.json"
        path.write_text(json.dumps(make_model(name, seed + 11), separators=(",", ":")) + "\n")
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
