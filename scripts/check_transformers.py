"""Checks model folders between Terrarium and transformers in both directions, on a machine that has
transformers.

    python3 scripts/check_transformers.py check FOLDER... [--report FILE.md]
    python3 scripts/check_transformers.py make OUT_DIR [--tar FILE.tar]

`check` opens folders that Terrarium has exported with AutoModelForCausalLM and AutoTokenizer and
compares their results with Terrarium's. It prints a table (and writes it to --report, with date and
versions) and exits with 1 if anything differs. To make such folders, run

    EXPORT_DIR=.cache/exports npx vitest run --project node src/checkpoint/exports.test.ts

or unpack an export of the page and add two files:

    expected.json        {"texts": [{"text": str, "ids": [int], "decoded": str}],
                          "input_ids": [[int]],                            [batch][time]
                          "logits": {"file": "expected_logits.f32",
                                     "shape": [batch, time, vocab_size]}}
    expected_logits.f32  little-endian float32, row-major

`make` writes tiny random GPT-2, Llama, Qwen2, Qwen3 and Mistral folders as transformers saves them
(sharded or not; float32, float16, bfloat16), with the same two files. expected.json also has the
shape, sum and last value of every tensor. They are the fixtures in src/checkpoint/fixtures (unpack
the tar file there). The reference logits are computed in float32 from the reopened folder, whose
weights were rounded when they were saved. Everything runs on the CPU, from a seed.
"""

import argparse
import datetime
import json
import pathlib
import platform
import sys
import tarfile

import numpy as np
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

LIMIT = 1e-4
TEXT = [
    "The fox ran over the hill, and the dog ran after the fox.\nThen they slept.\n",
    "A hen sat. The cat sat too.",
]
TEXTS = [
    "The fox",
    "the dog  ran\nover",
    " a hen ",
    "naïve café 🦊👩\u200d🚀",
    "It's 2026,\tisn't it?\r\n\r\n   yes ",
    "\x00\u00a0中文العربية",
]


def versions():
    import tokenizers

    return dict(
        python=platform.python_version(),
        torch=torch.__version__,
        transformers=hf.__version__,
        tokenizers=tokenizers.__version__,
        numpy=np.__version__,
    )


# Folders of Terrarium, opened by transformers.


def check_folder(folder):
    """Returns tuples of (what, value, passed) for one folder."""
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    shape = expected["logits"]["shape"]
    wanted = np.fromfile(folder / expected["logits"]["file"], dtype="<f4").reshape(shape)
    results = []
    for attention in ("eager", "sdpa"):
        model, info = hf.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
        )
        model.eval()
        strays = {
            key: sorted(
                map(str, (info[key] if isinstance(info, dict) else getattr(info, key)) or [])
            )
            for key in ("missing_keys", "unexpected_keys", "mismatched_keys")
        }
        results.append(
            (
                f"{type(model).__name__}: missing, unexpected or mismatched keys",
                sum(map(len, strays.values())),
                not any(strays.values()),
            )
        )
        with torch.no_grad():
            logits = (
                model(input_ids=torch.tensor(expected["input_ids"]), use_cache=False)
                .logits.float()
                .numpy()
            )
        difference = (
            float(np.abs(logits - wanted).max()) if logits.shape == wanted.shape else float("inf")
        )
        results.append(
            (
                f"logits {shape}, {attention}: largest difference",
                f"{difference:.2e} (largest logit {np.abs(wanted).max():.2f})",
                difference <= LIMIT,
            )
        )
        if attention == "eager":
            prompt = torch.tensor(expected["input_ids"])[:1, :2]
            out = model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=3,
                do_sample=False,
                pad_token_id=0,
            )
            length = out.shape[1]
            results.append(("generate: tokens of prompt and output", length, 2 < length <= 5))
            greedy = int(wanted[0, 1].argmax())
            results.append(
                (
                    "generate: the first new token is the argmax of the logits",
                    int(out[0, 2]),
                    int(out[0, 2]) == greedy,
                )
            )
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    wrong = [
        t["text"]
        for t in expected["texts"]
        if tokenizer(t["text"], add_special_tokens=False)["input_ids"] != t["ids"]
    ]
    texts = len(expected["texts"])
    results.append(
        (
            f"{type(tokenizer).__name__}: texts with different token ids, of {texts}",
            repr(wrong) if wrong else 0,
            not wrong,
        )
    )
    wrong = [t["text"] for t in expected["texts"] if tokenizer.decode(t["ids"]) != t["decoded"]]
    decoded = "texts whose token ids decode differently"
    results.append((decoded, repr(wrong) if wrong else 0, not wrong))
    return results


def check(folders, report):
    lines = [
        f"# Exported folders opened by transformers, {datetime.date.today().isoformat()}",
        "",
        "A report of `scripts/check_transformers.py check`. Each folder comes with the logits,",
        "token ids and decoded texts that Terrarium computes; transformers opens the folder and",
        "computes its own. Logits may differ by at most 1e-4.",
        "",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in versions().items()) + ".",
        "",
        "| folder | check | value | result |",
        "|---|---|---|---|",
    ]
    failed = 0
    for folder in folders:
        try:
            results = check_folder(folder)
        # A folder that does not open is a result; the other folders are still checked.
        except Exception as error:
            results = [
                ("opening", f"{type(error).__name__}: {error}".replace("\n", " ")[:300], False)
            ]
        for what, value, fine in results:
            failed += not fine
            lines.append(f"| {folder.name} | {what} | {value} | {'ok' if fine else 'FAILED'} |")
    lines += ["", f"{len(folders)} folders, {failed} failures."]
    text = "\n".join(lines) + "\n"
    print(text)
    if report:
        report.write_text(text, encoding="utf-8")
    return 1 if failed or not folders else 0


# Folders of transformers, for Terrarium to open.


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        TEXT * 2,
        trainers.BpeTrainer(
            vocab_size=272,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )


def cases(vocab_size, eos):
    token = dict(vocab_size=vocab_size, bos_token_id=eos, eos_token_id=eos)
    gpt2 = dict(n_positions=12, n_embd=16, n_layer=2, n_head=4, **token)
    llama = dict(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=12,
        **token,
    )
    rope = dict(rope_parameters=dict(rope_type="default", rope_theta=500.0))
    return [
        ("gpt2_f32", hf.GPT2LMHeadModel, hf.GPT2Config(**gpt2), torch.float32, None),
        (
            "gpt2_untied_relu2_bf16_sharded",
            hf.GPT2LMHeadModel,
            hf.GPT2Config(
                activation_function="relu2", tie_word_embeddings=False, n_inner=40, **gpt2
            ),
            torch.bfloat16,
            "12KB",
        ),
        (
            "llama_f16",
            hf.LlamaForCausalLM,
            hf.LlamaConfig(num_key_value_heads=2, tie_word_embeddings=True, **rope, **llama),
            torch.float16,
            None,
        ),
        (
            "llama_untied_relu2_f32_sharded",
            hf.LlamaForCausalLM,
            hf.LlamaConfig(num_key_value_heads=4, hidden_act="relu2", rms_norm_eps=1e-5, **llama),
            torch.float32,
            "16KB",
        ),
        (
            "qwen3_bf16",
            hf.Qwen3ForCausalLM,
            hf.Qwen3Config(num_key_value_heads=2, head_dim=4, tie_word_embeddings=True, **llama),
            torch.bfloat16,
            None,
        ),
        (
            "qwen3_window_f32_sharded",
            hf.Qwen3ForCausalLM,
            hf.Qwen3Config(
                num_key_value_heads=1,
                head_dim=4,
                use_sliding_window=True,
                sliding_window=4,
                max_window_layers=0,
                **rope,
                **llama,
            ),
            torch.float32,
            "16KB",
        ),
        (
            "mistral_window_f16_sharded",
            hf.MistralForCausalLM,
            hf.MistralConfig(num_key_value_heads=2, sliding_window=5, **llama),
            torch.float16,
            "8KB",
        ),
        (
            "gpt2_exact_gelu_f16",
            hf.GPT2LMHeadModel,
            hf.GPT2Config(activation_function="gelu", **gpt2),
            torch.float16,
            None,
        ),
        (
            "qwen3_wide_heads_bf16",
            hf.Qwen3ForCausalLM,
            hf.Qwen3Config(num_key_value_heads=2, head_dim=6, tie_word_embeddings=True, **llama),
            torch.bfloat16,
            None,
        ),
        (
            "qwen2_bf16",
            hf.Qwen2ForCausalLM,
            hf.Qwen2Config(num_key_value_heads=2, tie_word_embeddings=True, **llama),
            torch.bfloat16,
            None,
        ),
        (
            "llama3_bf16",
            hf.LlamaForCausalLM,
            hf.LlamaConfig(
                num_key_value_heads=2,
                head_dim=10,
                tie_word_embeddings=True,
                rope_parameters=dict(
                    rope_type="llama3",
                    rope_theta=17000.0,
                    factor=2.0,
                    low_freq_factor=1.0,
                    high_freq_factor=4.0,
                    original_max_position_embeddings=8192,
                ),
                **llama,
            ),
            torch.bfloat16,
            None,
        ),
    ]


def randomize(model, seed):
    """Weights that are large enough to affect the logits, norms near 1 and biases near 0."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            p.copy_(
                0.3 * noise
                if p.ndim > 1
                else (0.2 * noise if name.endswith("bias") else 1 + 0.2 * noise)
            )


def make(out, tar):
    tokenizer = make_tokenizer()
    for seed, (name, architecture, config, dtype, shard) in enumerate(
        cases(len(tokenizer), tokenizer.eos_token_id)
    ):
        folder = out / name
        config._attn_implementation = "eager"
        model = architecture(config).eval()
        randomize(model, seed)
        model.to(dtype).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
        tokenizer.save_pretrained(folder)
        # Reopened, because model.to(float16) also rounds the rotary table, which is not saved.
        again = hf.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        saved, opened = model.state_dict(), again.state_dict()
        if saved.keys() != opened.keys() or any(
            not torch.equal(saved[key].float(), opened[key]) for key in saved
        ):
            raise SystemExit(f"{name}: the reopened weights differ from the saved ones")
        input_ids = [
            [(t * 7 + b * 3 + t * t) % len(tokenizer) for t in range(12)] for b in range(2)
        ]
        with torch.no_grad():
            logits = (
                again(input_ids=torch.tensor(input_ids), use_cache=False)
                .logits.numpy()
                .astype("<f4")
            )
        (folder / "expected_logits.f32").write_bytes(logits.tobytes())
        texts = [
            dict(text=t, ids=ids, decoded=tokenizer.decode(ids))
            for t in TEXTS
            for ids in [tokenizer(t, add_special_tokens=False)["input_ids"]]
        ]
        tensors = {
            key: dict(shape=list(x.shape), sum=float(x.double().sum()), last=float(x.flatten()[-1]))
            for key, x in opened.items()
        }
        expected = dict(
            texts=texts,
            input_ids=input_ids,
            logits=dict(file="expected_logits.f32", shape=list(logits.shape)),
            tensors=tensors,
            versions=versions(),
        )
        (folder / "expected.json").write_text(
            json.dumps(expected, ensure_ascii=False), encoding="utf-8"
        )
        files = sorted(p.name for p in folder.iterdir())
        shards = sum(name.endswith(".safetensors") for name in files)
        print(
            f"{name}: {sum(p.stat().st_size for p in folder.iterdir()) / 1000:.0f} kB, "
            f"{shards} safetensors, largest logit {np.abs(logits).max():.2f}"
        )
        if (shard is not None) != (shards > 1):
            raise SystemExit(f"{name} is not what it should be: {files}")
    if tar:
        with tarfile.open(tar, "w") as archive:
            for folder in sorted(out.iterdir()):
                archive.add(folder, folder.name)
    return 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("check")
    one.add_argument("folders", nargs="+", type=pathlib.Path)
    one.add_argument("--report", type=pathlib.Path)
    two = commands.add_parser("make")
    two.add_argument("out", type=pathlib.Path)
    two.add_argument("--tar", type=pathlib.Path)
    args = parser.parse_args()
    hf.utils.logging.set_verbosity_error()
    sys.exit(
        check(args.folders, args.report) if args.command == "check" else make(args.out, args.tar)
    )


if __name__ == "__main__":
    main()
