"""Runs train.py of the bundles that the engine wrote, and compares it with what the engine did next.

    WAY_OUT_DIR=.cache/way_out npx vitest run --project node src/checkpoint/bundle/bundles.test.ts
    python3 scripts/check_way_out.py .cache/way_out --cpu --ranks 1 2 --report docs/WAY_OUT.md
    WAY_OUT_DIR=.cache/way_out npx vitest run --project node src/checkpoint/bundle/back.test.ts

Needs torch, transformers, accelerate, safetensors and peft. Without --cpu it runs on the GPUs of this machine.
Each bundle has an expected.json: {"step", "n_params", "ids": [[int]] of further steps, "losses": [float]}.
For every number of ranks: the first loss, the ids of 20 batches, 220 losses, the bytes of sharded tensors
a rank, the loss with activation checkpointing and in bf16, and a resume of the checkpoint of
torch.distributed.checkpoint on one rank. With --hosts 2, two launchers start half of the ranks each, as
on two hosts. What train.py saved for the page goes to DIR/back, with logits for back.test.ts. The exit
status is 1 if anything is out of its limit."""

import argparse
import dataclasses
import datetime
import gc
import json
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import sys
import tarfile

FIRST_LOSS = 1e-4
CURVE = 0.01
MEMORY = 0.05
# bf16 has no promised accuracy; this catches a run that learns something else.
BF16 = 0.1
BATCHES = 20
STEPS = 220
# Steps of the shorter runs: with activation checkpointing, in bf16, and after a resume.
FEW = 20
LIMIT_S = 1500


@dataclasses.dataclass(frozen=True)
class Arrangement:
    ranks: int
    cpu: bool
    # Launchers, each with its share of the ranks and of the cards.
    hosts: int = 1

    def __str__(self):
        device = "processor" if self.cpu else "GPU"
        many = f"{self.ranks} ranks, FSDP2, {'gloo' if self.cpu else 'NCCL'}"
        hosts = f", {self.hosts} launchers" if self.hosts > 1 else ""
        return f"{device}, {many if self.ranks > 1 else 'one rank'}{hosts}"

    def command(self, bundle, bf16, host, port):
        """The launcher of one host."""
        if self.cpu and self.ranks > 1:
            launch = [sys.executable, "-m", "torch.distributed.run"]
            launch += ["--nproc_per_node", str(self.ranks // self.hosts), "--nnodes", str(self.hosts)]
            launch += ["--node_rank", str(host), "--master_addr", "127.0.0.1"]
            return launch + ["--master_port", str(port)]
        precision = "bf16" if bf16 else "no"
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--mixed_precision", precision]
        if self.cpu:
            launch += ["--cpu"]
        elif self.ranks > 1:
            launch += ["--config_file", str(bundle / "fsdp2.yaml")]
        launch += ["--num_processes", str(self.ranks), "--num_machines", str(self.hosts)]
        if self.hosts == 1:
            return launch
        launch += ["--machine_rank", str(host), "--main_process_ip", "127.0.0.1"]
        return launch + ["--main_process_port", str(port)]

    def slug(self):
        hosts = f"x{self.hosts}" if self.hosts > 1 else ""
        return f"{'cpu' if self.cpu else 'gpu'}{self.ranks}{hosts}"

    def environment(self, host):
        """Of one host: with several, NCCL takes them for two machines and sends through sockets."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if self.hosts > 1 and not self.cpu:
            share = self.ranks // self.hosts
            cards = range(host * share, (host + 1) * share)
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, cards))
            environment["NCCL_HOSTID"] = f"host-{host}"
            environment["NCCL_SOCKET_IFNAME"] = "lo"
        return environment


@dataclasses.dataclass(frozen=True)
class Job:
    """One call of train.py. Jobs of one launch run one after the other in the same processes."""

    bundle: pathlib.Path
    name: str
    steps: int
    # The folder that it resumes from and saves to.
    out: str
    flags: tuple[str, ...] = ()

    def folder(self, work):
        return work / self.bundle.name / self.name


def launch(jobs, arrangement, work, bf16=False):
    """Runs the jobs on all ranks."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / "jobs.json"
    file.write_text(json.dumps([dataclasses.asdict(job) for job in jobs], default=str))
    port = free_port()
    hosts = []
    for host in range(arrangement.hosts):
        command = arrangement.command(jobs[0].bundle, bf16, host, port)
        command += [str(pathlib.Path(__file__).resolve()), str(work), "--jobs", str(file)]
        if arrangement.cpu:
            command.append("--cpu")
        log = work / f"host-{host}.log"
        with log.open("w", encoding="utf-8") as output:
            environment = arrangement.environment(host)
            hosts.append(subprocess.Popen(command, stdout=output, stderr=output, env=environment))
    failed = [index for index, host in enumerate(hosts) if host.wait(LIMIT_S) != 0]
    for index in failed:
        print((work / f"host-{index}.log").read_text(encoding="utf-8")[-6000:])
    if failed:
        raise SystemExit(f"train.py failed on {arrangement}.")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def first_jobs(bundle):
    return [
        Job(bundle, "unchanged", 0, "unchanged"),
        Job(bundle, "after", STEPS, "after"),
        Job(bundle, "recomputed", FEW, "recomputed", ("--gradient_checkpointing",)),
        Job(bundle, "begun", FEW, "begun"),
    ]


def by_architecture(bundles):
    """
    Bundles in groups of one model_type: accelerate takes the class of the layers that FSDP2 wraps from the
    first model of a process.
    """
    groups = {}
    for bundle in bundles:
        config = json.loads((bundle / "checkpoint" / "config.json").read_text(encoding="utf-8"))
        groups.setdefault(config["model_type"], []).append(bundle)
    return list(groups.values())


def check(bundles, arrangement, work):
    """Everything about the bundles in one arrangement: rows of the report."""
    shutil.rmtree(work, ignore_errors=True)
    one = dataclasses.replace(arrangement, ranks=1, hosts=1)
    for alike in by_architecture(bundles):
        launch([job for bundle in alike for job in first_jobs(bundle)], arrangement, work)
        if not arrangement.cpu:
            launch([Job(bundle, "bf16", FEW, "bf16") for bundle in alike], arrangement, work, bf16=True)
    launch([Job(bundle, "resumed", FEW, "begun") for bundle in bundles], one, work)
    rows = []
    for bundle in bundles:
        rows += Check(bundle, arrangement, work).all()
    return rows


class Check:
    """All comparisons of one bundle in one arrangement."""

    def __init__(self, bundle, arrangement, work):
        self.bundle, self.arrangement = bundle, arrangement
        self.work = work / bundle.name
        self.expected = json.loads((bundle / "expected.json").read_text(encoding="utf-8"))
        self.facts = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        self.rows = []

    def note(self, what, found, fine=True):
        self.rows.append((self.bundle.name, str(self.arrangement), what, found, fine))

    def records(self, job):
        """What each rank recorded of a job."""
        files = sorted((self.work / job).glob("rank-*.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in files]

    def all(self):
        records = self.records("after")
        self.losses(records)
        self.ids(records)
        self.memory(records)
        self.few("activation checkpointing", "recomputed", 0, CURVE)
        self.few("resumed by one rank from its dcp", "resumed", FEW, CURVE)
        if not self.arrangement.cpu:
            self.few("bf16", "bf16", 0, BF16)
        for job in ("unchanged", "after"):
            self.keep(job)
        return self.rows

    def losses(self, records):
        losses, expected = records[0]["losses"], self.expected["losses"][:STEPS]
        first = abs(losses[0] - expected[0])
        self.note(
            "first loss",
            f"{losses[0]:.6f}, browser {expected[0]:.6f}, difference {first:.1e}",
            first <= FIRST_LOSS,
        )
        errors = relative(losses, expected)
        last = f"last {losses[-1]:.5f}, browser {expected[-1]:.5f}"
        control = max(relative(self.expected["control"][:STEPS], expected))
        found = f"largest relative difference {max(errors):.1e} ({last}); the browser's own, with other "
        found += f"micro-batches: {control:.1e}"
        self.note(f"{STEPS} steps", found, len(losses) == STEPS and max(errors) <= CURVE)

    def ids(self, records):
        """Each rank has a block of the rows of a step, in micro-batches."""
        steps = [sum((record["ids"][step] for record in records), []) for step in range(BATCHES)]
        expected = self.expected["ids"][:BATCHES]
        equal = sum(found == wanted for found, wanted in zip(steps, expected, strict=True))
        self.note(f"ids of {BATCHES} batches", f"{equal} equal", equal == BATCHES)

    def memory(self, records):
        """Four bytes each of parameter, gradient and two moments, divided by the ranks; of a frozen
        parameter those of its value."""
        moments = len(self.facts["moments"])
        trainable = self.facts["n_trainable_params"]
        numbers = (1 + moments) * trainable + self.expected["n_params"]
        planned = 4 * numbers / self.arrangement.ranks
        found = max(sum(record["bytes"].values()) for record in records)
        parts = ", ".join(f"{name} {size:,}" for name, size in records[0]["bytes"].items())
        text = f"{found:,} bytes a rank ({parts}); planned {planned:,.0f}; ratio {found / planned:.4f}"
        self.note("sharded tensors", text, abs(found / planned - 1) <= MEMORY)
        if records[0]["peak"]:
            peaks = ", ".join(f"{record['peak']:,}" for record in records)
            self.note("PyTorch's peak (max_memory_allocated)", f"{peaks} bytes")

    def few(self, what, job, begin, limit):
        records = self.records(job)
        expected = self.expected["losses"][begin : begin + FEW]
        error = max(relative(records[0]["losses"], expected))
        self.note(what, f"{FEW} steps within {error:.1e}", error <= limit)

    def keep(self, job):
        """What back.test.ts opens."""
        slug = self.arrangement.slug()
        back = self.bundle.parent / "back" / f"{self.bundle.name}-{slug}-{job}"
        shutil.rmtree(back, ignore_errors=True)
        back.mkdir(parents=True)
        shutil.move(self.work / job / "out" / "checkpoint", back / "checkpoint")
        shutil.copy(self.work / job / "logits.f32", back / "logits.f32")


def relative(losses, expected):
    return [abs(a - b) / abs(b) for a, b in zip(losses, expected, strict=True)]


def one_rank(arguments):
    """What a process of `launch` does: the jobs, with their steps recorded."""
    jobs = [Job(**job) for job in json.loads(arguments.jobs.read_text(encoding="utf-8"))]
    sys.path.insert(0, str(jobs[0].bundle))
    import torch
    import train

    for job in jobs:
        job = dataclasses.replace(job, bundle=pathlib.Path(job.bundle))
        folder = job.folder(arguments.bundle)
        folder.mkdir(parents=True, exist_ok=True)
        out = arguments.bundle / job.bundle.name / job.out / "out"
        argv = ["--bundle", str(job.bundle), "--out", str(out), "--steps", str(job.steps)]
        argv += [*job.flags, *(["--cpu"] if arguments.cpu else [])]
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        train.main(argv, Recorder(folder, torch))
        gc.collect()


class Recorder:
    """Called by train.main with each event of a run."""

    def __init__(self, folder, torch):
        self.folder, self.torch = folder, torch
        self.record = {"losses": [], "ids": [[] for _ in range(BATCHES)], "bytes": {}, "peak": 0}

    def __call__(self, event, run, value):
        record = self.record
        step = len(record["losses"])
        if event == "batch" and step < BATCHES:
            record["ids"][step] += value.ids.ravel().tolist()
        elif event == "gradients":
            trained = [p for p in run.model.parameters() if p.requires_grad]
            frozen = [p for p in run.model.parameters() if not p.requires_grad]
            record["bytes"]["parameters"] = local_bytes(trained)
            record["bytes"]["frozen"] = local_bytes(frozen)
            record["bytes"]["gradients"] = local_bytes(p.grad for p in trained)
        elif event == "step":
            record["losses"].append(value["train/loss"])
            state = run.optimizer.state.values()
            moments = (tensor for one in state for tensor in one.values() if tensor.dim() > 0)
            record["bytes"]["moments"] = local_bytes(moments)
        elif event == "end":
            self.write(run)

    def write(self, run):
        if run.device.type == "cuda":
            self.record["peak"] = self.torch.cuda.max_memory_allocated()
        logits = logits_of(run, self.torch)
        if run.rank == 0:
            logits.numpy().tofile(self.folder / "logits.f32")
        file = self.folder / f"rank-{run.rank:03}.json"
        file.write_text(json.dumps(self.record), encoding="utf-8")


def local_bytes(tensors):
    """Bytes of this rank's shards."""
    whole = (t.to_local() if hasattr(t, "to_local") else t for t in tensors)
    return sum(t.numel() * t.element_size() for t in whole)


def logits_of(this, torch):
    """Logits of a fixed row of ids, as back.test.ts computes them [row_length, vocab_size]."""
    length = this.bundle["data"]["row_length"]
    vocab_size = this.model.config.vocab_size
    ids = torch.tensor([[(t * 7 + t * t) % vocab_size for t in range(length)]])
    this.model.eval()
    with torch.no_grad():
        return this.model(input_ids=ids.to(this.device), use_cache=False).logits[0].float().cpu()


def report(path, rows, arguments):
    import accelerate
    import peft
    import safetensors
    import torch
    import transformers

    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    on = "the processor" if arguments.cpu else ", ".join(cards)
    versions = (
        f"torch {torch.__version__}, transformers {transformers.__version__}, accelerate "
        f"{accelerate.__version__}, safetensors {safetensors.__version__}, "
        f"peft {peft.__version__}, Python {platform.python_version()}"
    )
    lines = [
        f"## {datetime.date.today()}, {on}",
        "",
        f"Versions: {versions}. Limits: first loss {FIRST_LOSS:.0e}, curve {CURVE:.0%}, sharded tensors "
        f"{MEMORY:.0%} of the plan.",
        "",
        "| bundle | arrangement | what | result | within its limit |",
        "|---|---|---|---|---|",
    ]
    for *cells, fine in rows:
        lines.append(f"| {' | '.join(cells)} | {'yes' if fine else '**no**'} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n" + text)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bundle", type=pathlib.Path, help="folder of bundles")
    parser.add_argument("--only", nargs="*", help="names of bundles")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1])
    parser.add_argument("--hosts", type=int, default=1, help="launchers that share the ranks")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--tar", type=pathlib.Path, help="a folder for what back.test.ts opens")
    # For the processes that this script starts.
    parser.add_argument("--jobs", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.jobs:
        return one_rank(arguments)
    folder = arguments.bundle.resolve()
    bundles = sorted(path.parent for path in folder.glob("*/expected.json"))
    bundles = [one for one in bundles if not arguments.only or one.name in arguments.only]
    rows = []
    for ranks in arguments.ranks:
        arrangement = Arrangement(ranks, arguments.cpu, arguments.hosts)
        rows += check(bundles, arrangement, folder / "work")
    shutil.rmtree(folder / "work", ignore_errors=True)
    if arguments.tar:
        for bundle in bundles:
            with tarfile.open(arguments.tar / f"{bundle.name}.tar", "w") as tar:
                for path in (folder / "back").glob(f"{bundle.name}-{arrangement.slug()}-*"):
                    tar.add(path, path.name)
    report(arguments.report, rows, arguments)
    sys.exit(0 if rows and all(row[-1] for row in rows) else 1)


if __name__ == "__main__":
    main()
