"""The checkpoint folder of the page: its weights and moments become those of PyTorch, and back.

Moments lie in optimizer.safetensors by the page's parameters, which store linear weights as [in, out]
and have q, k, v and gate, up side by side. `parts` says which columns of a parameter are which tensor
of transformers (or PEFT), and whether that is stored transposed."""

import json
import shutil
import zipfile

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from adapters import has_adapters, in_model, write_adapters

BUNDLE_VERSION = 1
ATTENTION = "sdpa"


def open_bundle(root):
    """What bundle.json says, with the folder that it lies in as `root`."""
    path = root / "bundle.json"
    if not path.exists():
        raise SystemExit(f"{root} has no bundle.json: run the train.py that lies in the bundle.")
    bundle = json.loads(path.read_text(encoding="utf-8"))
    version = bundle.get("bundle_version")
    if version != BUNDLE_VERSION:
        raise SystemExit(
            f"This bundle has version {version}, and this train.py reads version {BUNDLE_VERSION}: "
            "use the train.py that came with the bundle."
        )
    if has_adapters(bundle):
        bundle["parameters"] = in_model(bundle["parameters"])
    return {**bundle, "root": root}


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def build_model(bundle, folder, dropout):
    """The model of the folder in float32, without adapters. Biases that the page does not have are zero
    and stay so."""
    config = transformers.AutoConfig.from_pretrained(folder)
    for name in ("resid_pdrop", "embd_pdrop", "attn_pdrop", "attention_dropout"):
        if hasattr(config, name):
            setattr(config, name, dropout)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation=ATTENTION
    )
    trained = {part["name"] for one in bundle["parameters"] for part in one["parts"]}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained)
    return model


def reference_state(bundle, folder):
    """Weights of the reference by the names of transformers; none before the first step."""
    tensors = {}
    path = folder / "objective.safetensors"
    if not path.exists():
        return tensors
    with safe_open(path, framework="pt") as file:
        names = set(file.keys())
        for parameter in bundle["parameters"]:
            name = f"reference.{parameter['name']}"
            if name in names:
                tensors.update(to_parts(parameter, file.get_tensor(name)))
    return tensors


def to_parts(parameter, values):
    """A tensor in the layout of the page as tensors of transformers, by name."""
    parts = {}
    for part in parameter["parts"]:
        columns = values[..., part["start"] : part["end"]]
        parts[part["name"]] = (columns.T if part["transpose"] else columns).contiguous()
    return parts


def from_parts(parameter, tensors):
    """The inverse of `to_parts`."""
    columns = [
        tensors[part["name"]].T if part["transpose"] else tensors[part["name"]]
        for part in parameter["parts"]
    ]
    return torch.cat(columns, dim=-1).contiguous()


def read_moments(bundle, folder):
    """Moments by the names of transformers: {name: {moment: tensor}}."""
    state = {}
    with safe_open(folder / "optimizer.safetensors", framework="pt") as file:
        names = set(file.keys())
        for parameter in bundle["parameters"]:
            for moment in bundle["moments"]:
                key = f"{moment}.{parameter['name']}"
                if key not in names:
                    raise SystemExit(f"optimizer.safetensors has no {key}; export the bundle again.")
                for name, values in to_parts(parameter, file.get_tensor(key)).items():
                    state.setdefault(name, {})[moment] = values
    return state


def write_folder(bundle, target, *, weights, moments, progress):
    """A folder that the page opens by import, from tensors by the names of transformers. Frozen weights
    are copied."""
    source = bundle["root"] / "checkpoint"
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target)
    if has_adapters(bundle):
        write_adapters(target, weights)
    else:
        with safe_open(source / "model.safetensors", framework="pt") as file:
            names = file.keys()
        kept = {name: weights[name].float().contiguous() for name in names}
        save_file(kept, target / "model.safetensors", metadata={"format": "pt"})
    merged = {}
    for parameter in bundle["parameters"]:
        for moment in bundle["moments"] if moments else ():
            parts = {part["name"]: moments[part["name"]][moment] for part in parameter["parts"]}
            merged[f"{moment}.{parameter['name']}"] = from_parts(parameter, parts).float()
    if merged:
        save_file(merged, target / "optimizer.safetensors")
    write_progress(target, progress)
    zip_folder(target)


def zip_folder(folder):
    """One file for the page to import, without compression."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder))


def write_progress(target, progress):
    """Step, tokens and time in training_state.json, and a row of metrics for every step."""
    path = target / "training_state.json"
    state = read_json(path)
    for key in ("step", "tokens", "elapsed_seconds"):
        state[key] = progress[key]
    state["config"]["training"]["max_iters"] = progress["max_iters"]
    path.write_text(json.dumps(state, indent=2), encoding="utf-8")
    if progress["rows"]:
        with open(target / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in progress["rows"])
