"""Opens exported stages (chat models, adapters, reward models) in transformers and PEFT, and compares
logits, scores and chat templates with what Terrarium computes.

    EXPORT_DIR=.cache/stages npx vitest run --project node src/checkpoint/stage_exports.test.ts
    python3 scripts/check_stage_exports.py .cache/stages/* [--report FILE.md]

Needs torch, transformers and peft. Each folder has, beside the files of the export:

    stage_expected.json   {"scored": bool, "adapted": bool, "rows": [[int]], "lengths": [int],
                           "shape": [int], "conversations": [{"messages": [...], "ids": [int]}],
                           "eos_token_id": int, "pad_token_id": int}
    expected_values.f32   logits of every position, or the score of every row, by our engine
    expected_base.f32     the same without the adapter

Rows are padded on the right with pad_token_id. The report is a table, with date and versions; the exit
status is 1 if anything differs by more than 1e-4.
"""

import argparse
import datetime
import json
import pathlib
import platform
import sys

import numpy as np
import peft
import tokenizers
import torch
import transformers as hf

LIMIT = 1e-4


def open_model(folder, scored):
    """The model of the folder's root, and how many weights are missing, unexpected or mismatched."""
    kind = hf.AutoModelForSequenceClassification if scored else hf.AutoModelForCausalLM
    model, info = kind.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    keys = ("missing_keys", "unexpected_keys", "mismatched_keys")
    strays = sum(len(info[k] if isinstance(info, dict) else getattr(info, k)) for k in keys)
    return model.eval(), strays


def compute(model, expected):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor(expected["rows"]), use_cache=False).logits.numpy()
    return logits[:, 0] if expected["scored"] else logits


class Folder:
    def __init__(self, path):
        self.path = path
        self.expected = json.loads((path / "stage_expected.json").read_text(encoding="utf-8"))
        self.results = []

    def note(self, what, value, fine):
        self.results.append((what, value, fine))

    def compare(self, what, model, file):
        """Values at padding are not compared: transformers masks none without an attention mask, but
        a causal model reads no later token, so all others are unaffected."""
        wanted = np.fromfile(self.path / file, dtype="<f4").reshape(self.expected["shape"])
        actual = compute(model, self.expected)
        if actual.shape != wanted.shape:
            return self.note(what, f"shape {actual.shape} for {wanted.shape}", False)
        difference = float(np.abs(actual - wanted).max())
        largest = float(np.abs(wanted).max())
        self.note(what, f"{difference:.2e} (largest {largest:.2f})", difference <= LIMIT)

    def check(self):
        scored, adapted = self.expected["scored"], self.expected["adapted"]
        what = "scores" if scored else "logits"
        model, strays = open_model(self.path, scored)
        self.note(f"{type(model).__name__}: stray or missing weights", strays, strays == 0)
        base = "expected_base.f32"
        self.compare(f"{what}: largest difference", model, base)
        if scored:
            self.check_single(model, base)
        # Last, because merging changes the model.
        if adapted:
            self.check_adapter(model, what)
        self.check_tokenizer()
        return self.results

    def check_adapter(self, model, what):
        adapted = peft.PeftModel.from_pretrained(model, self.path / "adapter").eval()
        tensors = sum("lora_" in name for name in adapted.state_dict())
        self.note(f"{type(adapted).__name__}: adapter tensors", tensors, tensors > 0)
        self.compare(f"{what} with the adapter: largest difference", adapted, "expected_values.f32")
        with adapted.disable_adapter():
            self.compare(f"{what} with the adapter disabled", adapted, "expected_base.f32")
        merged = adapted.merge_and_unload()
        self.compare(f"{what} after merge_and_unload", merged, "expected_values.f32")

    def check_single(self, model, file):
        """A row without its padding has the same score: pooling found the last token."""
        wanted = np.fromfile(self.path / file, dtype="<f4")
        rows = zip(self.expected["rows"], self.expected["lengths"])
        with torch.no_grad():
            alone = [model(torch.tensor([row[:length]])).logits.item() for row, length in rows]
        difference = float(np.abs(np.array(alone) - wanted).max())
        self.note("scores of rows without padding", f"{difference:.2e}", difference <= LIMIT)

    def check_tokenizer(self):
        tokenizer = hf.AutoTokenizer.from_pretrained(self.path)
        wrong = 0
        for conversation in self.expected["conversations"]:
            encoded = tokenizer.apply_chat_template(
                conversation["messages"], add_generation_prompt=True, return_dict=True
            )
            wrong += encoded["input_ids"] != conversation["ids"]
        total = len(self.expected["conversations"])
        self.note(f"apply_chat_template: different ids, of {total}", wrong, wrong == 0)
        eos = hf.GenerationConfig.from_pretrained(self.path).eos_token_id
        ends = eos if isinstance(eos, list) else [eos]
        self.note("generation_config: eos_token_id", eos, self.expected["eos_token_id"] in ends)
        pad = tokenizer.pad_token_id
        self.note("tokenizer: pad_token_id", pad, pad == self.expected["pad_token_id"])


def check(folders):
    rows, failed = [], 0
    for path in folders:
        folder = Folder(path)
        try:
            folder.check()
        # A folder that does not open is a result; the other folders are still checked.
        except Exception as error:
            message = f"{type(error).__name__}: {error}".replace("\n", " ")[:300]
            folder.note("opening", message, False)
        for what, value, fine in folder.results:
            failed += not fine
            rows.append(f"| {path.name} | {what} | {value} | {'ok' if fine else 'FAILED'} |")
    return rows, failed


def report_of(rows, folders, failed):
    versions = dict(
        python=platform.python_version(),
        torch=torch.__version__,
        transformers=hf.__version__,
        peft=peft.__version__,
        tokenizers=tokenizers.__version__,
    )
    return "\n".join(
        [
            f"# Exported stages opened by transformers and PEFT, {datetime.date.today()}",
            "",
            "A report of `scripts/check_stage_exports.py`. Each folder comes with the logits or scores",
            "that Terrarium's engine computes, with and without the adapter, and with the token ids of",
            "conversations; transformers and PEFT open the folder and compute their own. Numbers may",
            "differ by at most 1e-4.",
            "",
            "Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
            "",
            "| folder | check | value | result |",
            "|---|---|---|---|",
            *rows,
            "",
            f"{len(folders)} folders, {failed} failures.",
            "",
        ]
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=pathlib.Path)
    parser.add_argument("--report", type=pathlib.Path)
    arguments = parser.parse_args()
    rows, failed = check(arguments.folders)
    text = report_of(rows, arguments.folders, failed)
    print(text)
    if arguments.report:
        arguments.report.write_text(text, encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
