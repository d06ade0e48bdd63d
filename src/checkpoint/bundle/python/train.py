"""Goes on with a run of Terrarium on GPUs: the same weights, optimizer state, schedule, batches and
objective (pretraining, SFT or DPO). README.md has the commands.

    accelerate launch --num_processes 1 train.py
    accelerate launch --config_file fsdp2.yaml train.py

What it saves: `OUT/dcp` (torch.distributed.checkpoint, to go on here on any number of ranks) and
`OUT/checkpoint` (the folder that the page opens by Import model)."""

import argparse
import dataclasses
import json
import math
import os
import pathlib
import shutil
import time

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from accelerate import Accelerator
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

import folder
from adapters import adapter_weights, add_adapters, has_adapters
from data import micro_batches, open_data
from losses import Dpo, answer_logps, cross_entropy
from optimizer import learning_rate, make_optimizer
from sharding import shard, sum_in_float32

ROOT = pathlib.Path(__file__).resolve().parent
FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


def arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bundle", type=pathlib.Path, default=ROOT)
    parser.add_argument("--out", type=pathlib.Path, help="default: BUNDLE/out")
    parser.add_argument("--steps", type=int, help="further steps (default: up to max_iters)")
    parser.add_argument("--max_iters", type=int, help="end of training, and of a decay that ends there")
    parser.add_argument("--micro_batch_size", type=int, help="rows (or pairs) of a rank at a time")
    parser.add_argument("--save_interval", type=int, default=250)
    parser.add_argument("--gradient_checkpointing", action=argparse.BooleanOptionalAction)
    parser.add_argument("--cpu", action="store_true", help="train on the processor (gloo)")
    args = parser.parse_args(argv)
    args.out = args.out or args.bundle / "out"
    return args


class Run:
    """One run on this rank. Every rank calls every method, as most of them communicate."""

    def __init__(self, args):
        self.args = args
        self.accelerator = Accelerator(cpu=args.cpu)
        self.device = self.accelerator.device
        self.rank, self.ranks = self.accelerator.process_index, self.accelerator.num_processes
        self.bundle = folder.open_bundle(args.bundle)
        self.training = {**self.bundle["training"]}
        if args.max_iters is not None:
            self.training["max_iters"] = args.max_iters
        torch.manual_seed(self.training["seed"] + self.rank)
        self.data = open_data(self.bundle)
        self.source = args.bundle / "checkpoint"
        self.loss = self.make_loss()
        self.make_model()
        self.resume()

    def make_model(self):
        model = folder.build_model(self.bundle, self.source, self.bundle["dropout"])
        if has_adapters(self.bundle):
            model = add_adapters(model, self.source)
        checkpointing = self.args.gradient_checkpointing
        if checkpointing is None:
            checkpointing = self.training["activation_checkpointing"]
            # transformers recomputes whole layers or nothing.
            if self.training.get("recompute_granularity") == "selective":
                checkpointing = False
        if checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        if self.ranks > 1 and not self.accelerator.is_fsdp2:
            # Without fsdp2.yaml, and on processors, where accelerate has no FSDP.
            self.model = shard(model.to(self.device))
            self.optimizer = make_optimizer(self.model, self.bundle, self.training)
        else:
            sum_in_float32(self.accelerator)
            optimizer = make_optimizer(model, self.bundle, self.training)
            self.model, prepared = self.accelerator.prepare(model, optimizer)
            self.optimizer = prepared.optimizer
        self.model.train()

    def make_loss(self):
        if self.bundle["objective"] != "dpo":
            return cross_entropy
        return Dpo(self.bundle["stage"]["dpo"], self.reference_logps())

    @torch.no_grad()
    def reference_logps(self):
        """Log-probabilities of the answers of all pairs under the frozen reference, which is needed
        for nothing else (TRL's `precompute_ref_log_probs`) [pairs, 2]."""
        model = folder.build_model(self.bundle, self.source, 0.0)
        weights = folder.reference_state(self.bundle, self.source)
        if weights:
            model.load_state_dict(weights, strict=False)
        model = model.to(self.device).eval()
        if self.ranks > 1:
            model = shard(model)
        batches = list(self.data.all_pairs(self.args.micro_batch_size or self.training["batch_size"]))
        logps = torch.zeros((len(self.data.train) + len(self.data.val)) // 2, 2, device=self.device)
        for batch in self.own(batches):
            with self.accelerator.autocast():
                found = answer_logps(model, batch, self.device)[0].view(-1, 2)
            counts = torch.from_numpy(batch.pair_weights > 0).to(self.device)
            logps[torch.from_numpy(batch.pairs).to(self.device)[counts]] = found[counts]
        return self.accelerator.reduce(logps, "sum").cpu()

    def own(self, batches):
        """Every n-th batch is this rank's. All ranks get as many, as they gather parameters together."""
        while len(batches) % self.ranks:
            batches.append(batches[-1].without_weight())
        return batches[self.rank :: self.ranks]

    def resume(self):
        """From the newest checkpoint in OUT/dcp, or else from the page's folder."""
        saved = self.args.out / "dcp" / "progress.json"
        if saved.exists():
            self.progress = folder.read_json(saved)
            # Weights that the checkpoint does not have are frozen.
            options = StateDictOptions(strict=not has_adapters(self.bundle))
            state = self.state(options)
            dcp.load(state, checkpoint_id=self.args.out / "dcp" / self.progress["checkpoint"])
            set_model_state_dict(self.model, state["model"], options=options)
            set_optimizer_state_dict(
                self.model, self.optimizer, state["optimizer"], options=options
            )
            return
        state = folder.read_json(self.source / "training_state.json")
        self.progress = {
            "step": state["step"],
            "tokens": state["tokens"],
            "elapsed_seconds": state["elapsed_seconds"],
            "rows": [],
        }
        self.load_moments()

    def load_moments(self):
        """The page's moments as the state of PyTorch's optimizer. Skipped updates of mixed precision do
        not count in Adam's bias correction."""
        if not self.bundle["moments"] or not (self.source / "optimizer.safetensors").exists():
            return
        moments = folder.read_moments(self.bundle, self.source) if self.rank == 0 else {}
        updates = self.progress["step"] - self.bundle["skipped_updates"]
        for values in moments.values():
            if "exp_avg" in values:
                values["step"] = torch.tensor(float(updates))
        groups = get_optimizer_state_dict(self.model, self.optimizer)["param_groups"]
        state = {"state": moments, "param_groups": groups} if self.rank == 0 else {}
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=self.ranks > 1)
        set_optimizer_state_dict(self.model, self.optimizer, state, options=options)

    def state(self, options):
        """The weights, or only those of adapters, and the optimizer's state."""
        adapted = has_adapters(self.bundle)
        options = dataclasses.replace(options, ignore_frozen_params=adapted)
        weights = get_model_state_dict(self.model, options=options)
        return {
            "model": adapter_weights(weights) if adapted else weights,
            "optimizer": get_optimizer_state_dict(self.model, self.optimizer, options=options),
        }

    def step(self, observe):
        """One optimizer step over the whole batch, whatever the number of ranks."""
        step = self.progress["step"]
        began = time.perf_counter()
        rate = learning_rate(self.training, step) * self.bundle["lr_multiplier"]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        total = torch.zeros((), device=self.device)
        micro_batch_size = self.args.micro_batch_size or self.training["batch_size"]
        for batch in micro_batches(
            self.data, step, rank=self.rank, ranks=self.ranks, micro_batch_size=micro_batch_size
        ):
            observe("batch", self, batch)
            with self.accelerator.autocast():
                loss = self.loss(self.model, batch, self.device)
            total += loss.detach()
            # FSDP and DDP average gradients over the ranks, and the weights are those of the step.
            self.accelerator.backward(loss * self.ranks)
        observe("gradients", self, None)
        norm = self.clip()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.accelerator.reduce(total, "sum").item()
        seconds = time.perf_counter() - began
        tokens = self.data.tokens(self.data.step(step))
        progress = self.progress
        progress["step"] += 1
        progress["tokens"] += tokens
        progress["elapsed_seconds"] += seconds
        row = {
            "step": progress["step"],
            "tokens": progress["tokens"],
            "seconds": progress["elapsed_seconds"],
            "train/loss": loss,
            "grad_norm": norm,
            "lr": rate,
            "step_ms": 1000 * seconds,
            "train/tok_per_sec": tokens / seconds,
        }
        progress["rows"].append(row)
        observe("step", self, row)
        return row

    def clip(self):
        limit = self.training["grad_clip"]
        trained = [p for p in self.model.parameters() if p.requires_grad]
        norm = torch.nn.utils.clip_grad_norm_(trained, limit if limit > 0 else math.inf)
        return (norm.full_tensor() if hasattr(norm, "full_tensor") else norm).item()

    @torch.no_grad()
    def evaluate(self):
        """Loss of the validation batches, each computed by one rank."""
        self.model.eval()
        total = torch.zeros((), device=self.device)
        for batch in self.own(list(self.data.evaluation())):
            with self.accelerator.autocast():
                total += self.loss(self.model, batch, self.device)
        self.model.train()
        return self.accelerator.reduce(total, "sum").item()

    def save(self):
        """For training to go on here: each rank writes its shards; the checkpoint before is removed
        once this one is complete."""
        parent = self.args.out / "dcp"
        name = f"step-{self.progress['step']}"
        dcp.save(self.state(StateDictOptions()), checkpoint_id=parent / name)
        if self.rank == 0:
            text = json.dumps({**self.progress, "checkpoint": name})
            (parent / "progress.tmp").write_text(text, encoding="utf-8")
            os.replace(parent / "progress.tmp", parent / "progress.json")
            for other in parent.glob("step-*"):
                if other.name != name:
                    shutil.rmtree(other)
        self.accelerator.wait_for_everyone()

    def export(self):
        """For the page: rank 0 gathers everything in its memory."""
        state = self.state(FULL)
        if self.rank == 0:
            progress = {**self.progress, "max_iters": self.training["max_iters"]}
            folder.write_folder(
                self.bundle,
                self.args.out / "checkpoint",
                weights=state["model"],
                moments=state["optimizer"]["state"],
                progress=progress,
            )
        self.accelerator.wait_for_everyone()


def main(argv=None, observe=lambda *_: None):
    args = arguments(argv)
    run = Run(args)
    training, progress = run.training, run.progress
    last = training["max_iters"] if args.steps is None else progress["step"] + args.steps
    observe("begin", run, None)
    while progress["step"] < last:
        row = run.step(observe)
        step = progress["step"]
        if step % training["eval_interval"] == 0:
            row["val/loss"] = run.evaluate()
        if run.rank == 0 and (step % 10 == 0 or "val/loss" in row):
            print(json.dumps(row), flush=True)
        if step % args.save_interval == 0:
            run.save()
    run.save()
    run.export()
    observe("end", run, None)


if __name__ == "__main__":
    main()
    if dist.is_initialized():
        dist.destroy_process_group()
