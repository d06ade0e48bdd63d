"""Fixtures of PPO and GRPO, from PyTorch in float64.

    python3 scripts/make_golden_rl.py src/objectives/golden

Each case has a whole tiny model: its weights, those of a reference, sampled answers with rewards,
and the loss, the metrics and all gradients of one step. Formulas are those of TRL 1.10 (GRPOTrainer,
experimental.ppo), written once more here. PPO's score is added at the last token.
"""

import argparse
import json
import math
import pathlib

import numpy as np
import torch

from make_golden import gpt2, initial_parameters, packed
from make_golden_pairs import MODELS

TEMPERATURE = 0.7
GROUPS, GENERATIONS, LONGEST = 3, 4, 6
GRPO = dict(
    num_generations=GENERATIONS,
    max_completion_length=LONGEST,
    temperature=TEMPERATURE,
    beta=0.0,
    epsilon=0.2,
    epsilon_high=0.0,
    scale_rewards="group",
    loss_type="dapo",
    mask_truncated_completions=False,
)
PPO = dict(
    num_ppo_epochs=1,
    num_mini_batches=1,
    response_length=LONGEST,
    temperature=TEMPERATURE,
    missing_eos_penalty=1.0,
    kl_coef=0.05,
    kl_estimator="k1",
    cliprange=0.2,
    vf_coef=0.1,
    cliprange_value=0.2,
    gamma=1.0,
    lam=0.95,
    whiten_rewards=False,
    score="task",
)
STAGES = {
    "dapo": dict(grpo=GRPO),
    "grpo, batch, beta": dict(grpo=dict(GRPO, loss_type="grpo", scale_rewards="batch", beta=0.1)),
    "dr_grpo, epsilon_high": dict(
        grpo=dict(GRPO, loss_type="dr_grpo", scale_rewards="none", epsilon_high=0.28)
    ),
    "bnpo, truncated masked": dict(
        grpo=dict(GRPO, loss_type="bnpo", mask_truncated_completions=True)
    ),
    "ppo": dict(ppo=PPO),
    "ppo, k3, whitened": dict(
        ppo=dict(PPO, kl_estimator="k3", whiten_rewards=True, gamma=0.9, lam=0.8, vf_coef=0.5)
    ),
}


def make_answers(m, random, answers):
    """Prompts of different lengths; answers end with token 1, or are cut off at the longest length."""
    prompts, rows = [], []
    for group in range(GROUPS):
        prompt = random.integers(2, m["vocab_size"], group + 1).tolist()
        prompts.append(prompt)
        for _ in range(answers):
            length = int(random.integers(1, LONGEST + 2))
            ids = random.integers(2, m["vocab_size"], min(length, LONGEST)).tolist()
            ended = length <= LONGEST
            if ended:
                ids[-1] = 1
            if any(row["prompt"] == group and row["ids"] == ids for row in rows):
                ids[0] = 2 + len(rows)  # The tests find an answer by its ids.
            noise = random.normal(0, 0.15, len(ids))
            reward = float(np.float32(random.normal()))
            rows.append(dict(prompt=group, ids=ids, ended=ended, noise=noise, reward=reward))
    return prompts, rows


def hidden_logits(m, p, prompt, ids, head=None):
    """Model output before each token of the answer."""
    weights = p if head is None else {**p, "lm_head.weight": head}
    return gpt2(m, weights, torch.tensor([prompt + ids]))[0, len(prompt) - 1 : -1]


def answer_logps(m, p, prompt, ids):
    logps = (hidden_logits(m, p, prompt, ids) / TEMPERATURE).log_softmax(-1)
    return logps.gather(-1, torch.tensor(ids)[:, None])[:, 0]


def answer_entropies(m, p, prompt, ids):
    """Of the whole distribution before each token of the answer."""
    logps = (hidden_logits(m, p, prompt, ids) / TEMPERATURE).log_softmax(-1)
    return -(logps.exp() * logps).sum(-1)


def answer_values(m, p, prompt, ids):
    """Values of the states before each token."""
    body = {k.removeprefix("value."): v for k, v in p.items() if k.startswith("value.")}
    return hidden_logits(m, body, prompt, ids, body["score.weight"].T)[:, 0]


def k3(logp, ref):
    return (ref - logp).exp() - 1 - (ref - logp)


def grpo_loss(rows, stage):
    rewards = torch.tensor([row["reward"] for row in rows], dtype=torch.float64)
    grouped = rewards.view(-1, GENERATIONS)
    std = dict(
        group=grouped.std(1, keepdim=True) + 1e-4,
        batch=rewards.std() + 1e-4,
        none=torch.ones(1, dtype=torch.float64),
    )[stage["scale_rewards"]]
    advantages = ((grouped - grouped.mean(1, keepdim=True)) / std).flatten()
    high = stage["epsilon_high"] or stage["epsilon"]
    masked = stage["mask_truncated_completions"]
    sums, counts, low_clipped, high_clipped = [], [], 0.0, 0.0
    for row, advantage in zip(rows, advantages):
        ratio = (row["logps"] - row["old_logps"]).exp()
        clipped = ratio.clamp(1 - stage["epsilon"], 1 + high)
        loss = -torch.min(ratio * advantage, clipped * advantage)
        loss = loss + stage["beta"] * k3(row["logps"], row["ref_logps"])
        mask = 0.0 if masked and not row["ended"] else 1.0
        sums.append(mask * loss.sum())
        counts.append(mask * len(row["ids"]))
        low_clipped += mask * ((ratio < 1 - stage["epsilon"]) & (advantage < 0)).sum()
        high_clipped += mask * ((ratio > 1 + high) & (advantage > 0)).sum()
    sums, counts = torch.stack(sums), torch.tensor(counts, dtype=torch.float64)
    loss = dict(
        grpo=lambda: (sums / counts.clamp(min=1)).mean(),
        bnpo=lambda: sums.sum() / counts.sum(),
        dapo=lambda: sums.sum() / counts.sum(),
        dr_grpo=lambda: sums.sum() / (len(rows) * stage["max_completion_length"]),
    )[stage["loss_type"]]()
    metrics = {
        "clip_ratio/low_mean": low_clipped / counts.sum(),
        "clip_ratio/high_mean": high_clipped / counts.sum(),
        "reward": rewards.mean(),
        "reward_std": rewards.std() if stage["scale_rewards"] == "batch" else grouped.std(1).mean(),
    }
    if stage["beta"] > 0:
        metrics["kl"] = torch.cat([k3(r["old_logps"], r["ref_logps"]) for r in rows]).mean()
    return loss, metrics, dict(advantages=advantages.tolist())


def whiten(rows, keep_mean=False):
    values = torch.cat(rows)
    scaled = (values - values.mean()) * torch.rsqrt(values.var(unbiased=True) + 1e-8)
    if keep_mean:
        scaled = scaled + values.mean()
    return list(scaled.split([len(row) for row in rows]))


def ppo_loss(rows, stage):
    kls, rewards, scores = [], [], []
    for row in rows:
        logp, ref = row["old_logps"], row["ref_logps"]
        kl = logp - ref if stage["kl_estimator"] == "k1" else k3(logp, ref)
        score = row["reward"] - (0.0 if row["ended"] else stage["missing_eos_penalty"])
        reward = -stage["kl_coef"] * kl
        reward[-1] += score
        kls.append(kl), rewards.append(reward), scores.append(score)
    if stage["whiten_rewards"]:
        rewards = whiten(rewards, keep_mean=True)
    advantages, returns = [], []
    for row, reward in zip(rows, rewards):
        values, advantage, estimates = row["old_values"], 0.0, []
        for t in reversed(range(len(values))):
            following = values[t + 1] if t + 1 < len(values) else 0.0
            delta = reward[t] + stage["gamma"] * following - values[t]
            advantage = delta + stage["gamma"] * stage["lam"] * advantage
            estimates.append(advantage)
        advantages.append(torch.stack(estimates[::-1]))
        returns.append(advantages[-1] + values)
    estimates = advantages
    advantages = whiten(advantages)
    column = lambda name: torch.cat([row[name] for row in rows])
    advantage, target = torch.cat(advantages), torch.cat(returns)
    difference = column("logps") - column("old_logps")
    ratio = difference.exp()
    clip = stage["cliprange"]
    free, bound = -advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip)
    policy = torch.max(free, bound).mean()
    values, old = column("values"), column("old_values")
    near = torch.clamp(values, old - stage["cliprange_value"], old + stage["cliprange_value"])
    value = 0.5 * torch.max((values - target) ** 2, (near - target) ** 2).mean()
    penalty = torch.stack([-stage["kl_coef"] * kl.sum() for kl in kls]).mean()
    score = torch.tensor(scores, dtype=torch.float64).mean()
    metrics = {
        "loss/policy_avg": policy,
        "loss/value_avg": value,
        "policy/clipfrac_avg": (bound > free).double().mean(),
        "policy/entropy_avg": column("entropies").mean(),
        "policy/approxkl_avg": 0.5 * (difference**2).mean(),
        "val/clipfrac_avg": ((near - target) ** 2 > (values - target) ** 2).double().mean(),
        "val/ratio": ratio.mean(),
        "objective/kl": torch.stack([(r["old_logps"] - r["ref_logps"]).sum() for r in rows]).mean(),
        "objective/entropy": torch.stack([-r["old_logps"].sum() for r in rows]).mean(),
        "objective/non_score_reward": penalty,
        "objective/rlhf_reward": penalty + score,
        "objective/scores": score,
    }
    parts = dict(
        token_rewards=[r.tolist() for r in rewards],
        old_values=[row["old_values"].tolist() for row in rows],
        estimates=[a.tolist() for a in estimates],
        advantages=[a.tolist() for a in advantages],
        returns=[r.tolist() for r in returns],
    )
    return policy + stage["vf_coef"] * value, metrics, parts


def value_noise(token, position):
    """What old values differ from values by: the tests make the same numbers."""
    return 0.3 * math.sin(7 * position + token)


def add_quantities(m, p, reference, prompts, row):
    prompt, ids = prompts[row["prompt"]], row["ids"]
    row["logps"] = answer_logps(m, p, prompt, ids)
    with torch.no_grad():
        noisy = answer_logps(m, p, prompt, ids) + torch.from_numpy(row["noise"])
        row["old_logps"] = noisy.float().double()
        row["ref_logps"] = answer_logps(m, reference, prompt, ids)
    if "value.score.weight" not in p:
        return
    row["entropies"] = answer_entropies(m, p, prompt, ids).detach()
    row["values"] = answer_values(m, p, prompt, ids)
    noise = [value_noise(token, len(prompt) - 1 + t) for t, token in enumerate(ids)]
    row["old_values"] = row["values"].detach() + torch.tensor(noise, dtype=torch.float64)


def value_parameters(m, random):
    p, _ = drawn_parameters(m, random)
    values = random.normal(0, 0.5, (m["n_embd"], 1)).astype(np.float32)
    p["score.weight"] = torch.from_numpy(values).double().requires_grad_()
    return {f"value.{k}": v for k, v in p.items()}


def drawn_parameters(m, random):
    p = initial_parameters(m, random)
    return p, {k: packed(v) for k, v in p.items()}


def make_case(m, name, seed):
    random = np.random.default_rng(seed)
    stage = STAGES[name]
    objective = "grpo" if "grpo" in stage else "ppo"
    p, _ = drawn_parameters(m, random)
    reference = {
        k: (v.detach() + torch.from_numpy(random.normal(0, 0.05, v.shape))).float().double()
        for k, v in p.items()
    }
    if objective == "ppo":
        p.update(value_parameters(m, random))
    prompts, rows = make_answers(m, random, GENERATIONS if objective == "grpo" else 1)
    for row in rows:
        add_quantities(m, p, reference, prompts, row)
    settings = stage[objective]
    loss, metrics, parts = (grpo_loss if objective == "grpo" else ppo_loss)(rows, settings)
    loss.backward()
    return dict(
        name=name,
        stage=dict(stage, objective=objective),
        parameters=[dict(name=k, values=packed(v)) for k, v in p.items()],
        reference=[dict(name=k, values=packed(v)) for k, v in reference.items()],
        prompts=prompts,
        answers=[
            dict(
                prompt=row["prompt"],
                ids=row["ids"],
                ended=row["ended"],
                reward=row["reward"],
                logps=row["old_logps"].tolist(),
            )
            for row in rows
        ],
        loss=loss.item(),
        metrics={k: torch.as_tensor(v).item() for k, v in metrics.items()},
        parts=parts,
        gradients={k: packed(v.grad) for k, v in p.items() if v.grad is not None},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    m = MODELS["gpt2"]
    cases = [make_case(m, name, 11 + i) for i, name in enumerate(STAGES)]
    path = folder / "rl_gpt2.json"
    path.write_text(json.dumps(dict(model=m, cases=cases), separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
