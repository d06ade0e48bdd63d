"""Adapters (LoRA) over frozen weights, by PEFT. Files have the tensors of an adapter without its name,
which the parameters of PEFT's model contain: lora_A.weight there is lora_A.default.weight here."""

from safetensors import safe_open
from safetensors.torch import save_file

NAME = "default"


def has_adapters(bundle):
    stage = bundle["stage"]
    return stage is not None and stage["peft"]["peft_type"] == "lora"


def in_model(parameters):
    """The parameters of bundle.json by their names in PEFT's model."""
    return [{**one, "parts": [in_model_part(part) for part in one["parts"]]} for one in parameters]


def in_model_part(part):
    path, weight = part["name"].rsplit(".", 1)
    return {**part, "name": f"{path}.{NAME}.{weight}"}


def add_adapters(model, folder):
    """The model with the adapters of the folder, which train; its own weights are frozen."""
    # Only a bundle with adapters needs PEFT.
    from peft import PeftModel

    return PeftModel.from_pretrained(model, folder / "adapter", is_trainable=True)


def adapter_weights(weights):
    """Those of the adapters. A tied head is frozen, but a state without frozen parameters still has it."""
    return {name: values for name, values in weights.items() if ".lora_" in name}


def write_adapters(target, weights):
    """The adapters in a folder of the page, for the page and for PEFT."""
    tensors = {
        name.replace(f".{NAME}.", "."): values.float().contiguous()
        for name, values in weights.items()
    }
    save_file(tensors, target / "adapter" / "adapter_model.safetensors", metadata={"format": "pt"})
    path = target / "objective.safetensors"
    with safe_open(path, framework="pt") as file:
        others = {name: file.get_tensor(name) for name in file.keys() if name not in tensors}
    save_file({**others, **tensors}, path)
