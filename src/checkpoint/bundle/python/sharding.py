"""FSDP2: the ranks divide parameters, gradients and moments among them."""

import torch
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard


def shard(model):
    """Every block, and then the rest, is a unit whose parameters are gathered when needed."""
    blocks = set(model._no_split_modules)
    for module in model.modules():
        if type(module).__name__ in blocks:
            fully_shard(module)
    return fully_shard(model)


def sum_in_float32(accelerator):
    """accelerate would sum the gradients of the ranks in bfloat16, too."""
    if accelerator.is_fsdp2 and accelerator.mixed_precision == "bf16":
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32)
        accelerator.state.fsdp_plugin.mixed_precision_policy = policy
