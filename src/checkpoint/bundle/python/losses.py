"""The losses of pretraining, SFT and DPO. Weights have been divided by the total of the whole step, so
the loss of a step is the sum over its micro-batches and ranks."""

import torch
import torch.nn.functional as F


def on_device(batch, device):
    """Inputs of the model, and targets and weights [rows, row_length]."""
    ids = torch.from_numpy(batch.ids).to(device)
    inputs = {"input_ids": ids, "use_cache": False}
    targets = torch.from_numpy(batch.targets).to(device)
    weights = torch.from_numpy(batch.weights).to(device)
    if batch.document_starts is not None:
        starts = torch.from_numpy(batch.document_starts).to(device)
        inputs.update(inside_documents(starts, batch.window))
    return inputs, targets, weights


def inside_documents(starts, window):
    """Attention mask and positions of packed rows: tokens attend only to their own example, in which
    positions count from 0. `starts`: where the example of each token begins [rows, row_length]."""
    position = torch.arange(starts.shape[1], device=starts.device)
    attends = (position <= position[:, None]) & (position >= starts[:, :, None])
    if window > 0:
        attends &= position > position[:, None] - window
    return {"position_ids": position - starts, "attention_mask": attends[:, None]}


def token_losses(model, batch, device):
    """-log p of each target in float32, and the weights [rows, row_length]."""
    inputs, targets, weights = on_device(batch, device)
    logits = model(**inputs).logits.float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.view_as(targets), weights


def cross_entropy(model, batch, device):
    losses, weights = token_losses(model, batch, device)
    return (losses * weights).sum()


def answer_logps(model, batch, device):
    """Log-probability of each answer, and its number of tokens [2 * pairs each]."""
    losses, weights = token_losses(model, batch, device)
    return -(losses * weights).sum(1), weights.sum(1)


class Dpo:
    """Direct preference optimization (Rafailov et al. 2023). `ref_logps` [pairs, 2] are the
    log-probabilities of both answers of every pair under the reference."""

    def __init__(self, settings, ref_logps):
        self.settings = settings
        self.ref_logps = ref_logps

    def __call__(self, model, batch, device):
        logps, counts = answer_logps(model, batch, device)
        reference = self.ref_logps[torch.from_numpy(batch.pairs)].to(device)
        ratios = logps.view(-1, 2) - reference
        if self.settings["loss_type"] in ("ipo", "sigmoid_norm"):
            ratios = ratios / counts.view(-1, 2).clamp(min=1)
        losses = preference_loss(ratios[:, 0] - ratios[:, 1], self.settings)
        losses = losses - batch.sft_weight * logps[0::2]
        return (losses * torch.from_numpy(batch.pair_weights).to(device)).sum()


def preference_loss(difference, settings):
    """The loss of each pair, by TRL's `loss_type`."""
    beta, smoothing = settings["beta"], settings["label_smoothing"]
    x = beta * difference
    match settings["loss_type"]:
        case "sigmoid" | "sigmoid_norm":
            return F.softplus(-x)
        case "hinge":
            return F.relu(1 - x)
        case "ipo":
            return (difference - 1 / (2 * beta)) ** 2
        case "robust":
            both = (1 - smoothing) * F.softplus(-x) - smoothing * F.softplus(x)
            return both / (1 - 2 * smoothing)
        case other:
            raise SystemExit(f"train.py does not know the preference loss {other}.")
